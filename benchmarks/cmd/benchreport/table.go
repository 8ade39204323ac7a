package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// tableOf renders a question's table in Markdown.
func (q question) tableOf(r *results) string {
	if q.table != nil {
		return q.table(q, r)
	}
	return compareTable(q, r)
}

// compareTable has a row for every peer in every setting.
func compareTable(q question, r *results) string {
	keys := q.settingKeys(r)
	head := append(slices.Clone(keys), "who", "time", "±", "beside ours", "events/s", "CPU", "B", "allocs")
	optional := []string{unitSyncs, unitLost}
	for _, unit := range optional {
		if r.has(unit) {
			head = append(head, strings.TrimSuffix(unit, "/op"))
		}
	}
	t := newTable(head, len(keys)+1)
	for _, setting := range r.settings() {
		base := r.find(ours, setting)
		for _, p := range q.peers {
			c := r.find(p.name, setting)
			if c == nil {
				continue
			}
			var row []string
			for _, key := range keys {
				row = append(row, thousands(setting[key]))
			}
			time := c.summary(unitTime)
			row = append(row, bold(p.label, p.name == ours), duration(time.Center), strings.TrimPrefix(time.PctRangeString(), "±"),
				ratio(c, base), rate(time.Center), duration(c.median(unitCPU)), number(c.median(unitBytes)), number(c.median(unitAllocs)))
			for _, unit := range optional {
				if r.has(unit) {
					row = append(row, c.count(unit))
				}
			}
			t.add(row)
		}
	}
	return t.String()
}

// settingKeys are the keys of the question's settings that vary.
func (q question) settingKeys(r *results) []string {
	var keys []string
	for _, key := range []string{"writers", "to", "event"} {
		if r.settings()[0][key] != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// count is a number that few peers report, with what is lost as a part of all.
func (c *cell) count(unit string) string {
	if len(c.samples[unit]) == 0 {
		return ""
	}
	median := c.median(unit)
	if unit != unitLost {
		return number(median)
	}
	return c.lost()
}

// lost is the part that was lost over all rounds.
func (c *cell) lost() string {
	var lost float64
	for _, n := range c.samples[unitLost] {
		lost += n
	}
	if lost == 0 {
		return "0"
	}
	events, _ := strconv.ParseFloat(c.keys["events"], 64)
	all := events * float64(len(c.samples[unitLost]))
	if lost < all/1000 {
		return fmt.Sprintf("**%.0f of %.0f**", lost, all)
	}
	return fmt.Sprintf("**%.1f%%**", 100*lost/all)
}

// ratio is how long c takes beside ours, marked where chance explains the difference.
func ratio(c, base *cell) string {
	if base == nil || c == base {
		return ""
	}
	text := strconv.FormatFloat(c.median(unitTime)/base.median(unitTime), 'f', 2, 64)
	if len(c.samples[unitTime]) > 1 && !c.differs(base, unitTime) {
		text += " ~"
	}
	return text
}

// markdown is a table under construction; its first columns are texts, the others numbers.
type markdown struct {
	lines []string
}

func newTable(head []string, texts int) *markdown {
	rule := make([]string, len(head))
	for i := range head {
		rule[i] = "---:"
		if i < texts {
			rule[i] = "---"
		}
	}
	t := &markdown{}
	t.add(head)
	t.add(rule)
	return t
}

func (t *markdown) add(row []string) { t.lines = append(t.lines, "| "+strings.Join(row, " | ")+" |") }

func (t *markdown) String() string { return strings.Join(t.lines, "\n") + "\n" }

func bold(text string, on bool) string {
	if on {
		return "**" + text + "**"
	}
	return text
}

// duration renders nanoseconds with three digits.
func duration(ns float64) string {
	switch {
	case ns >= 1e9:
		return digits(ns/1e9) + " s"
	case ns >= 1e6:
		return digits(ns/1e6) + " ms"
	case ns >= 1e3:
		return digits(ns/1e3) + " µs"
	}
	return digits(ns) + " ns"
}

// digits renders three significant ones and never an exponent.
func digits(x float64) string {
	if x == 0 {
		return "0"
	}
	after := 2 - int(math.Floor(math.Log10(math.Abs(x))))
	text := strconv.FormatFloat(x, 'f', min(max(after, 0), 4), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

func rate(ns float64) string {
	if ns == 0 {
		return ""
	}
	return thousands(strconv.FormatFloat(1e9/ns, 'f', 0, 64))
}

func number(x float64) string {
	if x >= 100 {
		return thousands(strconv.FormatFloat(x, 'f', 0, 64))
	}
	return digits(x)
}

// thousands puts commas into a number, and leaves another text alone.
func thousands(text string) string {
	if _, err := strconv.Atoi(text); err != nil {
		return text
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func plural(count, noun string) string {
	if count == "1" {
		return noun
	}
	return noun + "s"
}
