package sinktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

var textClauses = []Clause{{
	Name: "shortens text that is too long visibly",
	Explanation: `A reason of 1 MiB, or a host, a credential or a detail beyond what the destination
takes, is never why an event is lost. It is stored up to a mark that says so, as
driver.Shorten leaves one; a mere prefix looks as if it were the whole.`,
	check: shortensLongText,
}, {
	Name: "says how much detail it left out",
	Explanation: `Of 10,000 details the destination may hold fewer, each with its own value, and then
one more entry says that some are missing, as package driver adds one.`,
	check: saysHowMuchDetailItLeftOut,
}, {
	Name: "stores hostile text",
	Explanation: `Control characters, terminal escapes, quotes and invalid UTF-8 are stored as they
are, or each replaced by U+FFFD: they neither break the destination's format, nor
vanish, nor take the event with them.`,
	check: storesHostileText,
}}

func shortensLongText(p *probe) error {
	ae := p.complete()
	long := "because " + strings.Repeat("the list says so, ", 1<<20/18)
	ae.Spec.Reason = long
	ae.Spec.Destination.Host = long[:5000]
	ae.Spec.Credential.Name = long[:5001]
	ae.Spec.Credential.Provider = long[:5002]
	ae.Spec.Credential.Purpose = long[:5003]
	ae.Spec.MatchedPolicy.Name = long[:5004]
	ae.Spec.Detail["command"] = long[:100_000]
	want := ae.Spec.DeepCopy()
	got, err := p.writeAndRead(ae)
	if err != nil {
		return err
	}
	s := &got.Spec
	if s.Destination == nil || s.Credential == nil || s.MatchedPolicy == nil {
		return fmt.Errorf("stored spec lost a field: destination %s, credential %s, matchedPolicy %s",
			printed(s.Destination), printed(s.Credential), printed(s.MatchedPolicy))
	}
	return errors.Join(
		visiblyShort("reason", want.Reason, s.Reason),
		visiblyShort("destination.host", want.Destination.Host, s.Destination.Host),
		visiblyShort("credential.name", want.Credential.Name, s.Credential.Name),
		visiblyShort("credential.provider", want.Credential.Provider, s.Credential.Provider),
		visiblyShort("credential.purpose", want.Credential.Purpose, s.Credential.Purpose),
		visiblyShort("matchedPolicy.name", want.MatchedPolicy.Name, s.MatchedPolicy.Name),
		visiblyShort("detail[command]", want.Detail["command"], s.Detail["command"]),
		decided(want, s),
	)
}

// visiblyShort accepts the whole text, or the beginning of it followed by a mark that
// says that it was shortened.
func visiblyShort(field, want, got string) error {
	const atLeast = 32 // in bytes; a reader needs them to recognise the text
	switch {
	case got == want:
		return nil
	case !utf8.ValidString(got):
		return fmt.Errorf("stored %s is not UTF-8: %s", field, printed(got))
	case !strings.HasPrefix(got, want[:atLeast]):
		return fmt.Errorf("stored %s does not begin with the %d bytes given: %s", field, len(want), printed(got))
	case strings.HasPrefix(want, got):
		return fmt.Errorf("stored %s is cut from %d to %d bytes without a mark that says so", field, len(want), len(got))
	}
	return nil
}

// decided compares the fields that must never be shortened.
func decided(want, got *v1alpha1.AuditEventSpec) error {
	if got.Decision != want.Decision || got.Kind != want.Kind || toSecond(got.Timestamp) != toSecond(want.Timestamp) {
		return fmt.Errorf("stored decision is %s %s at %s, want %s %s at %s",
			got.Decision, got.Kind, got.Timestamp, want.Decision, want.Kind, want.Timestamp)
	}
	return nil
}

func saysHowMuchDetailItLeftOut(p *probe) error {
	const given = 10_000
	ae := p.event()
	ae.Spec.Detail = make(map[string]string, given)
	for i := range given {
		ae.Spec.Detail["key-"+strconv.Itoa(i)] = "value-" + strconv.Itoa(i)
	}
	want := ae.Spec.DeepCopy()
	got, err := p.writeAndRead(ae)
	if err != nil {
		return err
	}
	if err := decided(want, &got.Spec); err != nil {
		return err
	}
	kept, remarks := 0, 0
	for k, v := range got.Spec.Detail {
		value, mine := want.Detail[k]
		switch {
		case mine && v != value:
			return fmt.Errorf("stored detail %q is %s, want %q", k, printed(v), value)
		case mine:
			kept++
		case v != "":
			remarks++
		}
	}
	if kept == 0 {
		return fmt.Errorf("none of %d details is stored", given)
	}
	if kept < given && remarks == 0 {
		return fmt.Errorf("%d of %d details are stored, and no entry says that others are missing", kept, given)
	}
	return nil
}

func storesHostileText(p *probe) error {
	hostile := []string{
		"line one\nline two\r\nthree\ttabbed",
		"nul \x00 bell \a escape \x1b[31mred\x1b[0m delete \x7f",
		`quotes " ' ` + "`" + ` back\slash {"json":"inside"} </script> ${jndi} %s %!d`,
		"not UTF-8: \xff\xfe \xc3\x28 \xe2\x82 end",
		"separators \u2028 \u2029, right-to-left \u202e txt, byte order \ufeff, last \U0010ffff",
	}
	var errs []error
	for _, text := range hostile {
		ae := p.event()
		ae.Spec.Reason = text
		ae.Spec.Detail = map[string]string{"given": text, text: "the key"}
		want := ae.Spec.DeepCopy()
		got, err := p.writeAndRead(ae)
		if err != nil {
			errs = append(errs, fmt.Errorf("text %q: %w", text, err))
			continue
		}
		errs = append(errs,
			sameButForReplaced("reason", text, got.Spec.Reason),
			sameButForReplaced("detail[given]", text, got.Spec.Detail["given"]),
			decided(want, &got.Spec))
		if len(got.Spec.Detail) != len(want.Detail) {
			errs = append(errs, fmt.Errorf("text %q as a key of detail: %d entries are stored, want %d", text, len(got.Spec.Detail), len(want.Detail)))
		}
	}
	return errors.Join(errs...)
}

// sameButForReplaced compares two texts. In got, U+FFFD may stand for bytes that are not
// UTF-8, and for characters that are not printable.
func sameButForReplaced(field, want, got string) error {
	if !utf8.ValidString(got) {
		return fmt.Errorf("stored %s is not UTF-8: %q", field, got)
	}
	if replaced(got) != replaced(want) {
		return fmt.Errorf("stored %s is %q, want %q", field, got, want)
	}
	return nil
}

// replaced puts one U+FFFD in the place of each run of characters that may be replaced.
func replaced(s string) string {
	var b strings.Builder
	inRun := false
	for _, r := range s { // range gives U+FFFD for an invalid byte
		bad := r == utf8.RuneError || r != ' ' && !unicode.IsGraphic(r)
		if !bad {
			b.WriteRune(r)
		} else if !inRun {
			b.WriteRune(utf8.RuneError)
		}
		inRun = bad
	}
	return b.String()
}

// printed returns a value as an error quotes it, shortened when it is long.
func printed(v any) string {
	const most = 2000
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T: %v", v, err)
	}
	if len(text) > most {
		return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
	}
	return string(text)
}
