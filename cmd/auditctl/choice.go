package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// choice is a flag that takes one of several words. It is a pflag.Value.
type choice struct {
	value string
	words []string
}

// Set takes a word.
func (c *choice) Set(word string) error {
	if err := oneOf(word, c.words); err != nil {
		return err
	}
	c.value = word
	return nil
}

// String returns the word.
func (c *choice) String() string { return c.value }

// Type is what the help calls a value.
func (c *choice) Type() string { return strings.Join(c.words, "|") }

// addChoice adds a flag whose values are completed.
func addChoice(cmd *cobra.Command, name, short, value, usage string, words ...string) *choice {
	c := &choice{value, words}
	cmd.Flags().VarP(c, name, short, usage)
	complete(cmd, name, words)
	return c
}

// complete offers words for a flag.
func complete(cmd *cobra.Command, flag string, words []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

// oneOf returns an error when word is none of words.
func oneOf(word string, words []string) error {
	if slices.Contains(words, word) {
		return nil
	}
	if near := nearest(word, words); near != "" {
		return fmt.Errorf("%q is not known: did you mean %s?", word, near)
	}
	return fmt.Errorf("%q is not known: want one of %s", word, strings.Join(words, ", "))
}

// nearest returns the word that is nearest to a mistyped one; "" when none is near.
func nearest(mistyped string, words []string) (near string) {
	best := 3 // as many changes make another word of most
	for _, w := range words {
		if d := changes(mistyped, w); d < best && d < len(w) {
			near, best = w, d
		}
	}
	return near
}

// changes counts the letters to insert, remove or replace to make b of a.
func changes(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0]++
		for j := range len(b) {
			replaced := above
			if a[i] != b[j] {
				replaced++
			}
			above = row[j+1]
			row[j+1] = min(replaced, above+1, row[j]+1)
		}
	}
	return row[len(b)]
}
