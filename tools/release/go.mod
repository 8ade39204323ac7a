// Tags a release: a program of the project's own, run by who makes one. It stands in a module of its own so that the
// library's users never see it.
module github.com/paddock-dev/audit/tools/release

go 1.26.0

require golang.org/x/mod v0.42.0
