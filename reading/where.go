package reading

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
)

// Where is a condition on an event, compiled: an expression in CEL
// (https://cel.dev) over the variable event, which is the event's JSON.
//
//	event.spec.destination.port == 22 && event.spec.actor.user.startsWith("system:")
//
// A field that an event does not have makes the expression not true, whatever it is.
// Where is safe for concurrent use.
type Where struct {
	text    string
	program cel.Program
}

// maxCost bounds what an expression may do with one event, in CEL's units.
const maxCost = 1_000_000

// NewWhere compiles an expression. Its error says what is wrong and where.
func NewWhere(expression string) (*Where, error) {
	env, err := cel.NewEnv(cel.Variable("event", cel.DynType), ext.Strings(), cel.CrossTypeNumericComparisons(true))
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, fmt.Errorf("the expression %q: %w", expression, issues.Err())
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("the expression %q gives a %s: want true or false", expression, t)
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("the expression %q: %w", expression, err)
	}
	return &Where{text: expression, program: program}, nil
}

// String returns the expression.
func (w *Where) String() string { return w.text }

func (w *Where) takes(r *Record) (bool, error) {
	value, _, err := w.program.Eval(map[string]any{"event": eventObject(r)})
	if err != nil {
		if strings.HasPrefix(err.Error(), "no such key") || strings.HasPrefix(err.Error(), "no such attribute") {
			return false, nil // the event has no such field
		}
		return false, fmt.Errorf("the expression %q for event %s: %w", w.text, r.Event.Name, err)
	}
	is, ok := value.Value().(bool)
	if !ok {
		return false, fmt.Errorf("the expression %q gives a %s for event %s: want true or false", w.text, value.Type().TypeName(), r.Event.Name)
	}
	return is, nil
}
