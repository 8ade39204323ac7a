// Package lokifacts is what this project knows about Loki: a table in which each fact is a sentence, its source, the
// configuration that it needs, and a question that is asked over HTTP alone. The stand-in in package lokitest is held to
// it in make test, and make test-loki asks any real Loki the same and names the facts that differ.
package lokifacts
