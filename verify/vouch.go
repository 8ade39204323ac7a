package verify

import (
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/internal/trail"
)

// vouching is what the trust says of the certificates of one key.
type vouching struct {
	by           string   // the name in the trust of who vouches; "" for nobody
	account, pod string   // that asked for the token, where a token vouches
	wrong        []string // what the trust contradicts
	open         string   // why nobody vouches

	// uncovered is a checkpoint for whose time nobody vouches, although somebody does for others; nil for none.
	uncovered *checkpoint
	// begun is when the first token was issued, if checkpoints are dated before that.
	begun time.Time
}

// grant is what one good certificate is good for.
type grant struct {
	by, account, pod string
	// from and until bound the times of the checkpoints that carry the certificate, and since
	// and until those of the checkpoints that carry none. Zero for no bound.
	from, since, until time.Time
	issued             time.Time // of a token
}

// vouch looks for a key or an issuer of the trust that vouches for the key of checkpoints, which are
// good and all have that key, at the times of all of them.
func (v *Verifier) vouch(all []*checkpoint) (found vouching) {
	cluster, component, _, _ := trail.SplitOrigin(all[0].head.Origin) // it was checked
	found.open = "no checkpoint has a certificate"
	grants := map[string]*grant{}
	for _, c := range all {
		for _, certificate := range []string{c.Certificate, c.beside} {
			if _, tried := grants[certificate]; certificate == "" || tried {
				continue
			}
			g, wrong, open := v.trust.grant(certificate, c.Key, cluster, component)
			grants[certificate] = g
			switch {
			case open != "":
				found.open = open
			case wrong != "":
				found.wrong = append(found.wrong, wrong)
			default:
				found.by, found.account, found.pod = g.by, g.account, g.pod
			}
		}
	}
	for _, c := range all {
		if g := grants[c.Certificate]; g != nil && !within(c.time, g.from, g.until) {
			found.wrong = append(found.wrong, fmt.Sprintf("the checkpoint of index %d is of %s, when its certificate was not valid", c.index, c.time.Format(time.RFC3339)))
			break
		}
	}
	if len(found.wrong) > 0 {
		found.by = ""
	}
	if found.by != "" {
		found.uncovered, found.begun = gaps(all, grants)
	}
	return found
}

// gaps returns the first checkpoint that no grant is for, and when the first token was issued if
// checkpoints are older.
func gaps(all []*checkpoint, grants map[string]*grant) (uncovered *checkpoint, begun time.Time) {
	first := all[0].time
	for _, c := range all {
		covered := false
		for certificate, g := range grants {
			covered = covered || g != nil && (certificate == c.Certificate || within(c.time, g.since, g.until))
		}
		if !covered && uncovered == nil {
			uncovered = c
		}
		if c.time.Before(first) {
			first = c.time
		}
	}
	for _, g := range grants {
		if g == nil {
			continue
		}
		if g.issued.IsZero() { // a long-term key says itself from when on it vouches
			return uncovered, time.Time{}
		}
		if begun.IsZero() || g.issued.Before(begun) {
			begun = g.issued
		}
	}
	if first.Before(begun.Add(-trail.TokenLeeway)) {
		return uncovered, begun
	}
	return uncovered, time.Time{}
}

// grant returns what a certificate is good for. Otherwise it says what the trust contradicts, or why it
// says nothing.
func (t *Trust) grant(certificate, key, cluster, component string) (g *grant, wrong, open string) {
	if trail.IsToken(certificate) {
		return t.grantOfToken(certificate, key, cluster, component)
	}
	cert, by := t.open(certificate)
	switch {
	case by == nil:
		return nil, "", "the certificate is signed by no key of the trust"
	case cert.Key != key:
		return nil, "the certificate is for another key than that of the trail", ""
	case !by.speaksFor(cluster, component):
		return nil, fmt.Sprintf("the key %q may not speak for %s/%s", by.Name, cluster, component), ""
	}
	from := latest(cert.NotBefore, by.NotBefore)
	return &grant{by: by.Name, from: from, since: from, until: earliest(cert.NotAfter, by.NotAfter)}, "", ""
}

// grantOfToken is grant for a token. It says when it was issued, and the key of the trail may be
// older: a component goes on when the API server is away. So it vouches for earlier checkpoints
// of the key as well, unless they carry it.
func (t *Trust) grantOfToken(token, key, cluster, component string) (g *grant, wrong, open string) {
	claims, by, err := t.openToken(token)
	if err != nil {
		return nil, "", err.Error()
	}
	if err := claims.For(key); err != nil {
		return nil, fmt.Sprintf("the token of %s is no certificate for the trail: %v", claims.ServiceAccount, err), ""
	}
	if !by.speaksFor(claims.ServiceAccount, cluster, component) {
		return nil, fmt.Sprintf("the service account %s of %q may not speak for %s/%s", claims.ServiceAccount, by.Name, cluster, component), ""
	}
	return &grant{
		by: by.Name, account: claims.ServiceAccount, pod: claims.Pod, issued: claims.From(),
		from: latest(claims.From().Add(-trail.TokenLeeway), by.NotBefore), since: by.NotBefore,
		until: earliest(claims.Expires.Add(trail.TokenLeeway), by.NotAfter),
	}, "", ""
}

// open returns a certificate and the key of the trust that signed it; nil for none.
func (t *Trust) open(signed string) (trail.Certificate, *Key) {
	for i := range t.Keys {
		k := &t.Keys[i]
		if cert, _, err := trail.OpenCertificate(signed, note.VerifierList(k.verifier)); err == nil {
			return cert, k
		}
	}
	return trail.Certificate{}, nil
}

// latest returns the later one of two bounds, of which zero is none.
func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// earliest returns the earlier one of two bounds, of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
