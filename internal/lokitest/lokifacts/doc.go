// Package lokifacts is a table of what this project knows about Loki. Each fact has a sentence, its source, the
// configuration that it needs, and a check that uses only HTTP. make test checks the facts with the stand-in of package
// lokitest. make test-loki checks them with a real Loki, and names the facts that differ.
package lokifacts
