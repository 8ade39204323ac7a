package output

import "slices"

// fit returns the widths with which a table fits into a terminal. The widest column that can
// be shortened is shortened first. In a terminal that is too narrow for that, columns are
// left out: fit sets shown to false for them.
func fit(columns []Column, shown []bool, natural []int, width int) []int {
	for {
		widths := slices.Clone(natural)
		over := lineWidth(shown, widths) - width
		for over > 0 {
			i := toShorten(columns, shown, widths)
			if i < 0 {
				break
			}
			widths[i]--
			over--
		}
		if over <= 0 || !drop(columns, shown) {
			return widths
		}
	}
}

// lineWidth returns the width of a line.
func lineWidth(shown []bool, widths []int) int {
	total := -len(gap)
	for i, w := range widths {
		if shown[i] {
			total += w + len(gap)
		}
	}
	return total
}

// toShorten returns the widest column that can be shortened; -1 when all have their least
// width.
func toShorten(columns []Column, shown []bool, widths []int) int {
	widest := -1
	for i, c := range columns {
		if !shown[i] || c.Min == 0 || widths[i] <= max(c.Min, columnsOf(c.Name)) {
			continue
		}
		if widest < 0 || widths[i] >= widths[widest] {
			widest = i
		}
	}
	return widest
}

// drop leaves out the column that can be missed most. It reports whether there was one.
func drop(columns []Column, shown []bool) bool {
	least := -1
	for i, c := range columns {
		if shown[i] && c.Drop > 0 && (least < 0 || c.Drop > columns[least].Drop) {
			least = i
		}
	}
	if least >= 0 {
		shown[least] = false
	}
	return least >= 0
}
