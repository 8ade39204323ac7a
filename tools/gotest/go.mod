// Runs the tests of all modules, for make test. It stands in a module of its own so that the library's users never see it.
module github.com/paddock-dev/audit/tools/gotest

go 1.26.0
