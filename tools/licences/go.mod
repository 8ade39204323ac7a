// The licence gate: a program of the project's own, run by make verify. It stands in a module of its own so that the
// classifier and its texts never reach the library's go.sum.
module github.com/paddock-dev/audit/tools/licences

go 1.26.0

require (
	github.com/google/licensecheck v0.3.1
	go.yaml.in/yaml/v3 v3.0.5
	golang.org/x/mod v0.42.0
)
