package options

import "strings"

// Nearest returns ", did you mean x?" when one of known is close to name.
func Nearest(name string, known []string) string {
	const most = 1000 // comparing takes its time
	best, distance := "", 3
	if len(known) > most {
		known = nil
	}
	for _, k := range known {
		if d := editDistance(flat(name), flat(k)); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return ": did you mean " + best + "?"
}

var separators = strings.NewReplacer("_", "", "-", "")

func flat(s string) string { return strings.ToLower(separators.Replace(s)) }

// editDistance is Levenshtein's, of texts short enough to be names.
func editDistance(a, b string) int {
	const most = 64
	if len(a) > most || len(b) > most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
