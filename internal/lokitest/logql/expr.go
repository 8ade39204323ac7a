package logql

import "time"

// Expr is a query: a *LogExpr, a *RangeExpr or a *VectorExpr.
type Expr interface{ isExpr() }

// LogExpr selects log lines.
type LogExpr struct {
	Matchers []Matcher // of the stream's labels; at least one
	Stages   []Stage   // each gets the rows that the stage before it has let through
}

// RangeExpr counts or sums the lines in a range of time that ends at the time of evaluation.
type RangeExpr struct {
	Op     string // count_over_time, sum_over_time or rate
	Log    *LogExpr
	Unwrap string // the label whose values sum_over_time adds up; "" for other operations
	Range  time.Duration
}

// VectorExpr aggregates series, or selects some of them.
type VectorExpr struct {
	Op    string   // sum, min, max, count or topk
	Param int      // the number of series that topk keeps
	By    []string // the labels that are kept
	Inner Expr     // a *RangeExpr or a *VectorExpr
}

func (*LogExpr) isExpr()    {}
func (*RangeExpr) isExpr()  {}
func (*VectorExpr) isExpr() {}

// Stage is one step of a log pipeline.
type Stage interface {
	// apply may change the row. It returns false when the row is to be left out.
	apply(r *Row) (bool, error)

	// names tells which fields the stage reads and which it makes.
	names() (read, made []string)
}

// References returns the names of labels and metadata that a query reads from Loki. Fields that the query has made itself
// are not among them. A name may be there more than once.
func References(e Expr) []string {
	switch e := e.(type) {
	case *LogExpr:
		all, _ := e.references()
		return all
	case *RangeExpr:
		all, made := e.Log.references()
		if e.Unwrap != "" && !made[e.Unwrap] {
			all = append(all, e.Unwrap)
		}
		return all
	case *VectorExpr:
		all := References(e.Inner)
		made := madeIn(e.Inner)
		for _, name := range e.By {
			if !made[name] {
				all = append(all, name)
			}
		}
		return all
	}
	return nil
}

func (e *LogExpr) references() (all []string, made map[string]bool) {
	made = map[string]bool{}
	for _, m := range e.Matchers {
		all = append(all, m.Name)
	}
	for _, s := range e.Stages {
		read, makes := s.names()
		for _, name := range read {
			if !made[name] {
				all = append(all, name)
			}
		}
		for _, name := range makes {
			made[name] = true
		}
	}
	return all, made
}

func madeIn(e Expr) map[string]bool {
	switch e := e.(type) {
	case *LogExpr:
		_, made := e.references()
		return made
	case *RangeExpr:
		return madeIn(e.Log)
	case *VectorExpr:
		return madeIn(e.Inner)
	}
	return nil
}
