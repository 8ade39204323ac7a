package kubeseal_test

import (
	"os"
	"testing"

	"github.com/paddock-dev/audit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }
