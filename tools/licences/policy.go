package main

import (
	"slices"
	"strings"
)

// use says what becomes of the modules that a go.mod requires.
type use int

const (
	// linked modules can end up in a program that imports the library. Every go.mod outside tools and benchmarks
	// counts, those of tests too: nobody has to know which of them a user can import.
	linked use = iota
	// run modules are built and run by this repository only, and handed to nobody.
	run
)

// permissive are the SPDX names of the licences that ask for no more than a notice.
var permissive = []string{
	"0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT",
	"MIT-0", "NCSA", "PostgreSQL", "Unlicense", "UPL-1.0", "X11", "Zlib",
	"BSL-1.0", // the Boost licence, not the Business Source one, which is BUSL-1.1
}

// runOnly are the licences accepted on top of them where a module is only run: what they ask for concerns those who
// hand a program on. The last line is that of fonts, figures and documents, which some modules carry.
var runOnly = []string{
	"EPL-1.0", "EPL-2.0", "GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0", "MPL-2.0",
	"CC-BY-4.0", "CC-BY-SA-4.0", "FTL", "OFL-1.1",
}

// forbidden are the families of licences that nothing here may require, whatever it is for. No entry in the file of
// known texts lifts that.
var forbidden = []string{"AGPL-", "BUSL-", "SSPL-"}

// useOf tells what the modules required by a go.mod are for, from its slash-separated path in the repository.
func useOf(gomod string) use {
	if strings.HasPrefix(gomod, "tools/") || strings.HasPrefix(gomod, "benchmarks/") {
		return run
	}
	return linked
}

// accepts reports whether a module under the licence may be put to the use.
func (u use) accepts(licence string) bool {
	// The GPL family names the text in three ways, by what it says of later versions. The terms are the same.
	licence = strings.TrimSuffix(strings.TrimSuffix(licence, "-or-later"), "-only")
	return slices.Contains(permissive, licence) || u == run && slices.Contains(runOnly, licence)
}

// isForbidden reports whether the licence is one that nothing here may require.
func isForbidden(licence string) bool {
	return slices.ContainsFunc(forbidden, func(family string) bool { return strings.HasPrefix(licence, family) })
}
