package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
)

// SeedEnv repeats the order of an earlier process.
const SeedEnv = "AUDIT_BENCH_SEED"

// Shuffle puts all into an order by chance, and prints the seed of it as a configuration line of the benchmark format.
// It is for a server that grows slower with what is stored in it, which then hits all alike.
func Shuffle[T any](all []T) error {
	seed := rand.Uint64()
	if text := os.Getenv(SeedEnv); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			return fmt.Errorf("%s must be a number: %w", SeedEnv, err)
		}
	}
	fmt.Printf("%s%d\n", SeedLine, seed)
	rand.New(rand.NewPCG(seed, seed)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return nil
}

// SeedLine begins the line with the seed.
const SeedLine = "seed: "
