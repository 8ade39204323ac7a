// Package logql reads and evaluates the part of LogQL, Loki's query language, that this project's tests, readers and
// dashboard use. It belongs to the stand-in for Loki in internal/lokitest. It knows:
//
//   - stream selectors: {a="b", c!="d", e=~"f|g", h!~"i"}
//   - line filters: |= != |~ !~
//   - label filters: | name="value" with = != =~ !~, joined by and, or, commas and parentheses
//   - | json name="path.to.field", | line_format "{{.name}}" and | unwrap name
//   - count_over_time, sum_over_time and rate over a range
//   - sum, min, max, count and topk, with by
//
// Whatever it does not know is an error of Parse, never an empty or a wrong answer.
package logql
