// Package wiretest has no code of its own: its test decodes what sinks/loki sends
// with Grafana's decoder.
package wiretest
