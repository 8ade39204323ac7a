package redact

import "github.com/paddock-dev/audit/driver"

// Redactor returns what a Sink with opts does to each event.
func Redactor(opts Options) (func(*driver.Event) *driver.Event, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	s := &stage{hashers: newHashers(opts.Keys)}
	s.plans.rules, _ = compile(opts.Rules)
	return func(e *driver.Event) *driver.Event { return s.plans.of(e.Kind()).redact(e, s.hashers) }, nil
}
