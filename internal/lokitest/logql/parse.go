package logql

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse parses a query. The error says at which byte the query is wrong, or which part of it this package does not know.
func Parse(query string) (Expr, error) {
	tokens, err := lex(query)
	if err != nil {
		return nil, fmt.Errorf("parse error: %w", err)
	}
	p := parser{tokens: tokens}
	e, err := p.expr()
	if err == nil && p.peek().kind != kindEnd {
		err = p.unexpected("the end")
	}
	if err != nil {
		return nil, fmt.Errorf("parse error: %w", err)
	}
	return e, nil
}

// ParseSelector parses a query that is only a stream selector: {a="b"}.
func ParseSelector(query string) ([]Matcher, error) {
	e, err := Parse(query)
	if err != nil {
		return nil, err
	}
	l, ok := e.(*LogExpr)
	if !ok || len(l.Stages) > 0 {
		return nil, errors.New("parse error: only a stream selector is allowed here")
	}
	return l.Matchers, nil
}

type parser struct {
	tokens []token
	at     int
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != kindEnd {
		p.at++
	}
	return t
}

// is skips the next token and returns true when it is this sign or name.
func (p *parser) is(text string) bool {
	t := p.peek()
	if (t.kind == kindSign || t.kind == kindName) && t.text == text {
		p.at++
		return true
	}
	return false
}

func (p *parser) unexpected(want string) error {
	t := p.peek()
	got := strconv.Quote(t.text)
	if t.kind == kindEnd {
		got = "the end of the query"
	}
	return fmt.Errorf("at byte %d: unexpected %s, want %s", t.at, got, want)
}

func (p *parser) want(sign string) error {
	if !p.is(sign) {
		return p.unexpected(strconv.Quote(sign))
	}
	return nil
}

func (p *parser) wantKind(k kind, what string) (string, error) {
	if p.peek().kind != k {
		return "", p.unexpected(what)
	}
	return p.take().text, nil
}

var (
	vectorOps = []string{"sum", "min", "max", "count", "topk"}
	rangeOps  = []string{"count_over_time", "sum_over_time", "rate"}
)

func (p *parser) expr() (Expr, error) {
	t := p.peek()
	switch {
	case t.kind == kindSign && t.text == "{":
		return p.log()
	case t.kind == kindName && slices.Contains(vectorOps, t.text):
		return p.vector()
	case t.kind == kindName && slices.Contains(rangeOps, t.text):
		return p.rangeExpr()
	}
	return nil, p.unexpected("a stream selector, or one of the functions that the stand-in knows: " +
		strings.Join(append(slices.Clone(vectorOps), rangeOps...), ", "))
}

func (p *parser) vector() (Expr, error) {
	e := &VectorExpr{Op: p.take().text}
	var err error
	if e.By, err = p.by(); err != nil {
		return nil, err
	}
	if err := p.want("("); err != nil {
		return nil, err
	}
	if e.Op == "topk" {
		number, err := p.wantKind(kindNumber, "a number")
		if err != nil {
			return nil, err
		}
		if e.Param, err = strconv.Atoi(number); err != nil {
			return nil, fmt.Errorf("topk: %w", err)
		}
		if err := p.want(","); err != nil {
			return nil, err
		}
	}
	if e.Inner, err = p.expr(); err != nil {
		return nil, err
	}
	if _, isLog := e.Inner.(*LogExpr); isLog {
		return nil, p.unexpected("a range such as count_over_time({...}[1h]) within " + e.Op)
	}
	if err := p.want(")"); err != nil {
		return nil, err
	}
	if len(e.By) == 0 {
		e.By, err = p.by()
	}
	if len(e.By) > 0 && e.Op == "topk" {
		return nil, errors.New("topk by: the stand-in does not know it")
	}
	return e, err
}

func (p *parser) by() ([]string, error) {
	if p.peek().kind == kindName && p.peek().text == "without" {
		return nil, errors.New("without: the stand-in does not know it; name the labels with by")
	}
	if !p.is("by") {
		return nil, nil
	}
	if err := p.want("("); err != nil {
		return nil, err
	}
	var names []string
	for {
		name, err := p.wantKind(kindName, "a label's name")
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		if !p.is(",") {
			return names, p.want(")")
		}
	}
}

func (p *parser) rangeExpr() (Expr, error) {
	e := &RangeExpr{Op: p.take().text}
	if err := p.want("("); err != nil {
		return nil, err
	}
	var err error
	if e.Log, err = p.log(); err != nil {
		return nil, err
	}
	if n := len(e.Log.Stages); n > 0 {
		if u, ok := e.Log.Stages[n-1].(unwrap); ok {
			e.Unwrap, e.Log.Stages = u.name, e.Log.Stages[:n-1]
		}
	}
	if (e.Unwrap != "") != (e.Op == "sum_over_time") {
		return nil, fmt.Errorf("%s: sum_over_time needs | unwrap, and only it can have one", e.Op)
	}
	if err := p.want("["); err != nil {
		return nil, err
	}
	text, err := p.wantKind(kindDuration, "a duration such as 1h")
	if err != nil {
		return nil, err
	}
	if e.Range, err = parseDuration(text); err != nil {
		return nil, err
	}
	if err := p.want("]"); err != nil {
		return nil, err
	}
	return e, p.want(")")
}

// parseDuration parses a duration in Go's form, or a number of days.
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// ParseLabels parses the labels of a stream in a push. Unlike a selector, they may be none, or all have empty values.
func ParseLabels(text string) ([]Matcher, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := parser{tokens: tokens}
	matchers, err := p.matchers()
	if err == nil && p.peek().kind != kindEnd {
		err = p.unexpected("the end")
	}
	return matchers, err
}
