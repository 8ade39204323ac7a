package main

import (
	"fmt"
	"strings"
)

// judge says of an aim how far it is met, in every setting in which it was measured.
func (a aim) judge(r *results) string {
	var parts []string
	met, known := 0, 0
	for _, setting := range a.in {
		of, by := r.find(a.of, setting), r.find(a.by, setting)
		if of == nil || by == nil {
			continue
		}
		known++
		x, y := of.median(a.unit), by.median(a.unit)
		value, text := x/y, digits(x/y)
		if a.minus {
			value = x - y
			text = duration(max(value, 0))
		}
		if a.atLeast == (value >= a.bound) || value == a.bound {
			met++
		}
		parts = append(parts, text+" ("+describe(setting)+")")
	}
	verdict := "not measured"
	switch {
	case known == 0:
	case met == known:
		verdict = "met"
	case met == 0:
		verdict = "missed"
	default:
		verdict = fmt.Sprintf("met in %d of %d", met, known)
	}
	return fmt.Sprintf("- %s: **%s**. %s\n", a.text, verdict, strings.Join(parts, ", "))
}

func describe(setting map[string]string) string {
	var parts []string
	if w := setting["writers"]; w != "" {
		parts = append(parts, thousands(w)+" writers")
	}
	for _, key := range []string{"event", "query", "to"} {
		if value := setting[key]; value != "" {
			parts = append(parts, value)
		}
	}
	return strings.Join(parts, ", ")
}
