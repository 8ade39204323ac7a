package auditing

import (
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// ShellOpenedInput is what NewShellSessionOpened takes.
type ShellOpenedInput struct {
	RunName   string
	Namespace string
	SessionID string
	// SubmitterSA is the service account that asked for the shell.
	SubmitterSA string
	// Target is the container that the shell runs in.
	Target string
	// Command and its arguments, recorded as one line with shell quotes.
	Command []string
	// When the session began; zero for now.
	When time.Time
}

// NewShellSessionOpened builds a shell-session-opened event, granted.
func NewShellSessionOpened(in ShellOpenedInput) *v1alpha1.AuditEvent {
	return build("shell-opened-", EventInput{
		Kind: v1alpha1.AuditKindShellSessionOpened, Decision: v1alpha1.AuditDecisionGranted,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
	}, "sessionID", in.SessionID, "submitterSA", in.SubmitterSA, "target", in.Target, "command", quoteCommand(in.Command))
}

// ShellClosedInput is what NewShellSessionClosed takes.
type ShellClosedInput struct {
	RunName    string
	Namespace  string
	SessionID  string
	DurationMs int64
	ByteCount  int64
	// When the session ended; zero for now.
	When time.Time
}

// NewShellSessionClosed builds a shell-session-closed event, granted.
func NewShellSessionClosed(in ShellClosedInput) *v1alpha1.AuditEvent {
	return build("shell-closed-", EventInput{
		Kind: v1alpha1.AuditKindShellSessionClosed, Decision: v1alpha1.AuditDecisionGranted,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
	}, "sessionID", in.SessionID, "durationMs", number(in.DurationMs), "byteCount", number(in.ByteCount))
}

// quoteCommand returns args as a line that a POSIX shell splits into the same
// args, so that one argument with a space is not taken for two.
func quoteCommand(args []string) string {
	line := make([]byte, 0, 256)
	for i, arg := range args {
		if i > 0 {
			line = append(line, ' ')
		}
		line = appendQuoted(line, arg)
	}
	return string(line)
}

// bareInShell holds what a POSIX shell reads as itself everywhere in a word.
const bareInShell = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-"

func appendQuoted(line []byte, arg string) []byte {
	if arg != "" && strings.Trim(arg, bareInShell) == "" {
		return append(line, arg...)
	}
	line = append(line, '\'')
	for part := range strings.SplitSeq(arg, "'") {
		line = append(line, part...)
		line = append(line, `'\''`...)
	}
	return line[:len(line)-len(`\''`)]
}
