package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/verify"
)

// issuer signs tokens as an API server does.
type issuer struct {
	tb     testing.TB
	alg    jose.SignatureAlgorithm
	key    any // private
	public any
}

func newIssuer(tb testing.TB) *issuer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return &issuer{tb, jose.ES256, key, key.Public()}
}

// jwks returns the public key as the API server prints it.
func (i *issuer) jwks() string {
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.public, KeyID: "key-1", Algorithm: string(i.alg), Use: "sig"}}})
	if err != nil {
		i.tb.Fatal(err)
	}
	return string(text)
}

// entry is the issuer in a trust.yaml.
func (i *issuer) entry() string {
	return `{name: cluster, issuer: "https://api", cluster: prod, serviceAccounts: [{name: audit/broker, components: [broker]}, {name: audit/proxy, components: [proxy]}], jwks: ` + i.jwks() + "}"
}

type claims map[string]any

func (c claims) with(change claims) claims {
	c = maps.Clone(c)
	maps.Copy(c, change)
	return c
}

// claimsFor are those of a good token for a trail, issued at a time, for an hour.
func claimsFor(s *sealer, at time.Time) claims {
	return claims{
		"iss": "https://api", "sub": "system:serviceaccount:audit:" + s.component, "aud": []string{trail.TokenAudience(s.key)},
		"iat": at.Unix(), "nbf": at.Unix(), "exp": at.Add(time.Hour).Unix(),
		"kubernetes.io": claims{"namespace": "audit", "pod": claims{"name": s.component + "-0", "uid": "x"}},
	}
}

func (i *issuer) sign(c claims) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: i.alg, Key: jose.JSONWebKey{Key: i.key, KeyID: "key-1"}}, nil)
	if err != nil {
		i.tb.Fatal(err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		i.tb.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		i.tb.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		i.tb.Fatal(err)
	}
	return token
}

// withToken adds a trail whose certificate is a token with other claims.
func withToken(change claims) func(x *exported) {
	return func(x *exported) {
		x.newTrail(func(s *sealer) { s.cert = x.root.issuer.sign(claimsFor(s, noon).with(change)) })
	}
}

// unsigned returns a token with a header of its own.
func unsigned(header string, c claims) string {
	payload, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
}

// tokenManipulations are those of tokens.
var tokenManipulations = map[string]manipulation{
	"a good token": {withToken(nil), verify.Intact, nil},
	"a token with one audience text": {func(x *exported) {
		x.newTrail(func(s *sealer) {
			s.cert = x.root.issuer.sign(claimsFor(s, noon).with(claims{"aud": trail.TokenAudience(s.key)}))
		})
	}, verify.Intact, nil},

	"a token of another service account":    found(withToken(claims{"sub": "system:serviceaccount:audit:proxy"}), verify.CodeCertificate),
	"a token of an unknown service account": found(withToken(claims{"sub": "system:serviceaccount:team-a:broker"}), verify.CodeCertificate),
	"a token for another key": found(func(x *exported) {
		x.newTrail(func(s *sealer) { s.cert = x.root.issuer.sign(claimsFor(x.first, noon)) })
	}, verify.CodeCertificate),
	"a token for another audience": found(withToken(claims{"aud": []string{"https://kubernetes.default.svc"}}), verify.CodeCertificate),
	"a token for two audiences": found(func(x *exported) {
		x.newTrail(func(s *sealer) {
			s.cert = x.root.issuer.sign(claimsFor(s, noon).with(claims{"aud": []string{trail.TokenAudience(s.key), "https://kubernetes.default.svc"}}))
		})
	}, verify.CodeCertificate),
	"a token without an audience":   found(withToken(claims{"aud": []string{}}), verify.CodeCertificate),
	"a token that has expired":      found(withToken(claims{"iat": noon.Add(-2 * time.Hour).Unix(), "nbf": 0, "exp": noon.Add(-time.Hour).Unix()}), verify.CodeCertificate),
	"a token that is not valid yet": found(withToken(claims{"nbf": noon.Add(10 * time.Minute).Unix()}), verify.CodeCertificate),
	"a token that is issued later":  found(withToken(claims{"iat": noon.Add(10 * time.Minute).Unix()}), verify.CodeCertificate),
	"a token of another issuer":     {withToken(claims{"iss": "https://other"}), verify.Undetermined, []verify.Code{verify.CodeUnvouched}},
	"a token of another key":        {func(x *exported) { x.newTrail(func(s *sealer) { s.cert = newIssuer(s.tb).sign(claimsFor(s, noon)) }) }, verify.Undetermined, []verify.Code{verify.CodeUnvouched}},
	"a token of a user":             {withToken(claims{"sub": "admin"}), verify.Undetermined, []verify.Code{verify.CodeUnvouched}},
	"a token without an end":        {withToken(claims{"exp": 0}), verify.Undetermined, []verify.Code{verify.CodeUnvouched}},
	"a token that nobody has signed": {func(x *exported) {
		x.newTrail(func(s *sealer) { s.cert = unsigned(`{"alg":"none"}`, claimsFor(s, noon)) })
	}, verify.Undetermined, []verify.Code{verify.CodeUnvouched}},
	"a token signed with the public key as a secret": {func(x *exported) {
		x.newTrail(func(s *sealer) {
			s.cert = (&issuer{tb: s.tb, alg: jose.HS256, key: []byte(x.root.issuer.jwks())}).sign(claimsFor(s, noon))
		})
	}, verify.Undetermined, []verify.Code{verify.CodeUnvouched}},
	"a token whose claims were edited": {func(x *exported) {
		x.newTrail(func(s *sealer) {
			good := strings.Split(x.root.issuer.sign(claimsFor(s, noon).with(claims{"sub": "system:serviceaccount:audit:proxy"})), ".")
			edited := strings.Split(unsigned(`{}`, claimsFor(s, noon)), ".")
			s.cert = good[0] + "." + edited[1] + "." + good[2]
		})
	}, verify.Undetermined, []verify.Code{verify.CodeUnvouched}},
}

func init() { maps.Copy(manipulations, tokenManipulations) }

func TestTokenOfEachAlgorithmVouches(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[jose.SignatureAlgorithm]crypto.Signer{jose.RS256: small, jose.RS384: small, jose.RS512: small}
	for alg, curve := range map[jose.SignatureAlgorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521()} {
		if keys[alg], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	for alg, key := range keys {
		r := newRoot(t)
		r.issuer = &issuer{t, alg, key, key.Public()}
		s := newSealer(t, r, "broker")
		s.all, s.stored, s.from, s.settled, s.cert = nil, nil, 0, 0, r.issuer.sign(claimsFor(s, noon))
		s.checkpoint(canonical.KindTrailOpened)
		s.close()
		mustFindOnly(t, report(t, r, places{"a": s.stored}, verify.Options{}), verify.Intact)
	}
}

// tokenSealer makes a trail that has no certificate yet.
func tokenSealer(t *testing.T) (*root, *sealer) {
	t.Helper()
	r := newRoot(t)
	s := newSealer(t, r, "broker")
	s.all, s.stored, s.from, s.settled, s.cert = nil, nil, 0, 0, ""
	s.checkpoint(canonical.KindTrailOpened)
	return r, s
}

func (s *sealer) step(later time.Duration, cert string) {
	*s.clock = s.clock.Add(later)
	s.cert = cert
	s.write(2)
	s.checkpoint(canonical.KindTrailCheckpoint)
}

func codesOf(r *verify.Report) (all []verify.Code) {
	for _, f := range r.Findings {
		all = append(all, f.Code)
	}
	return all
}

func TestTokensVouchForTheTimesOfATrail(t *testing.T) {
	hours := func(n float64) time.Time { return noon.Add(time.Duration(n * float64(time.Hour))) }
	for name, c := range map[string]struct {
		make    func(r *root, s *sealer)
		verdict verify.Verdict
		codes   []verify.Code
	}{
		"from the start": {func(r *root, s *sealer) { s.step(0, r.issuer.sign(claimsFor(s, noon))) }, verify.Intact, nil},
		"after an outage of the API server at the start": {func(r *root, s *sealer) {
			s.step(0, "")
			s.step(5*time.Hour, r.issuer.sign(claimsFor(s, hours(5))))
		}, verify.Intact, []verify.Code{verify.CodeVouchedLate}},
		"again and again": {func(r *root, s *sealer) {
			for i := range 5 {
				s.step(time.Hour/2, r.issuer.sign(claimsFor(s, hours(float64(i+1)/2))))
			}
		}, verify.Intact, []verify.Code{verify.CodeVouchedLate}},
		"with an outage between": {func(r *root, s *sealer) {
			s.step(0, r.issuer.sign(claimsFor(s, noon)))
			s.step(2*time.Hour, "")
			s.step(time.Hour, r.issuer.sign(claimsFor(s, hours(3))))
		}, verify.Intact, nil},
		"with clocks that differ by minutes": {func(r *root, s *sealer) { s.step(0, r.issuer.sign(claimsFor(s, noon.Add(4*time.Minute)))) }, verify.Intact, nil},
		"and then no more": {func(r *root, s *sealer) {
			s.step(0, r.issuer.sign(claimsFor(s, noon)))
			s.step(2*time.Hour, "")
			s.step(time.Hour, "")
		}, verify.Undetermined, []verify.Code{verify.CodeUnvouched}},
		"and are carried too long": {func(r *root, s *sealer) {
			s.step(0, r.issuer.sign(claimsFor(s, noon)))
			s.step(2*time.Hour, s.cert)
		}, verify.Tampered, []verify.Code{verify.CodeCertificate, verify.CodeNothing}},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := tokenSealer(t)
			c.make(r, s)
			s.close()
			got := report(t, r, places{"a": s.stored}, verify.Options{})
			got.Findings = slices.DeleteFunc(got.Findings, func(f verify.Finding) bool { return f.Code == verify.CodeAbsent })
			if got.Verdict != c.verdict || !slices.Equal(codesOf(got), c.codes) {
				t.Errorf("%s with %+v, want %s with %v", got.Verdict, got.Findings, c.verdict, c.codes)
			}
			if of := got.Trails[0]; c.verdict != verify.Tampered && (of.VouchedBy != "cluster" || of.ServiceAccount != "audit/broker" || of.Pod != "broker-0") {
				t.Errorf("vouched for by %+v", of)
			}
		})
	}
}

func TestIssuerVouchesOnlyAsTheTrustSays(t *testing.T) {
	bad := []verify.Code{verify.CodeCertificate, verify.CodeNothing}
	nobody := []verify.Code{verify.CodeUnvouched, verify.CodeNothing}
	for _, c := range []struct {
		old, new string
		verdict  verify.Verdict
		codes    []verify.Code
	}{
		{"", "", verify.Intact, nil},
		{"[broker]", `["*"]`, verify.Intact, nil},
		{"cluster: prod", "cluster: test", verify.Tampered, bad},
		{"[broker]", "[proxy]", verify.Tampered, bad},
		{"cluster: prod", "cluster: prod, notAfter: 2026-04-25T11:59:00Z", verify.Tampered, bad},
		{"cluster: prod", "cluster: prod, notBefore: 2026-04-25T12:30:00Z", verify.Tampered, bad},
		{`"https://api"`, `"https://other"`, verify.Undetermined, nobody},
		{`"kid":"key-1"`, `"kid":"key-2"`, verify.Undetermined, nobody},
		{`"alg":"ES256"`, `"alg":"ES384"`, verify.Undetermined, nobody},
	} {
		r, s := tokenSealer(t)
		s.step(0, r.issuer.sign(claimsFor(s, noon)))
		s.close()
		trust, err := verify.ParseTrust([]byte("issuers: [" + strings.Replace(r.issuer.entry(), c.old, c.new, 1) + "]\ncomponents: [{name: broker}]"))
		if err != nil {
			t.Fatal(err)
		}
		v := verify.New(trust, verify.Options{})
		if err := v.Read(t.Context(), file(t, "a", s.stored)); err != nil {
			t.Fatal(err)
		}
		mustFindOnly(t, v.Report(), c.verdict, c.codes...)
		if t.Failed() {
			t.Fatal(c.new)
		}
	}
}

func TestProofFromBeforeTheTokenIsGood(t *testing.T) {
	r, s := tokenSealer(t)
	s.step(0, "")
	s.step(5*time.Hour, r.issuer.sign(claimsFor(s, noon.Add(5*time.Hour))))
	s.close()
	source := file(t, "a", s.stored)
	v := verify.New(r.trust(t), verify.Options{})
	if err := v.Read(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	v.Report()
	p, err := v.Prove(t.Context(), s.stored[1].Name, source)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Check(r.trust(t))
	if err != nil {
		t.Fatal(err)
	}
	mustFindOnly(t, got, verify.Intact)
}

func TestIssuersAreParsedStrictly(t *testing.T) {
	entry := newIssuer(t).entry()
	key := `{kty: EC, crv: P-256, x: AAAA, y: AAAA, d: hunter2}`
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, jwks, _ := strings.Cut(entry, "jwks: ")
	jwks = strings.TrimSuffix(jwks, "}")
	for _, c := range []struct{ text, want string }{
		{entry, ""},
		{strings.Replace(entry, "name: cluster, ", "", 1), "issuers[0]: name is missing"},
		{strings.Replace(entry, `issuer: "https://api", `, "", 1), "issuer is missing"},
		{strings.Replace(entry, "cluster: prod, ", "", 1), "cluster is missing"},
		{strings.Replace(entry, "[{name: audit/broker", "[], x: [{name: audit/broker", 1), "field x not found"},
		{strings.Replace(entry, "audit/broker", "broker", 1), "serviceAccounts[0]: name: want namespace/name"},
		{strings.Replace(entry, "[broker]", "[]", 1), "serviceAccounts[0]: components is missing"},
		{strings.Replace(entry, "audit/proxy", "audit/broker", 1), "serviceAccounts[1]"},
		{strings.Replace(entry, "cluster: prod", "cluster: prod, notBefore: 2026-01-02T00:00:00Z, notAfter: 2026-01-01T00:00:00Z", 1), "notBefore is not before notAfter"},
		{entry + ", " + entry, "issuers[1]: the name"},
		{strings.Replace(entry, jwks, `{keys: []}`, 1), "jwks.keys is missing"},
		{strings.Replace(entry, jwks, `{keys: [`+key+`]}`, 1), "jwks.keys[0]: want a public RSA or EC key"},
		{strings.Replace(entry, jwks, `{keys: [{kty: oct, k: aHVudGVyMg}]}`, 1), "jwks.keys[0]: is not the public half"},
		{strings.Replace(entry, `"use":"sig"`, `"use":"enc"`, 1), `jwks.keys[0]: use is "enc"`},
		{strings.Replace(entry, jwks, (&issuer{tb: t, public: &weak.PublicKey}).jwks(), 1), "jwks.keys[0]"},
		{strings.Replace(entry, jwks, (&issuer{tb: t, public: weak}).jwks(), 1), "jwks.keys[0]"},
	} {
		_, err := verify.ParseTrust([]byte("issuers: [" + c.text + "]"))
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}

// FuzzCertificate gives a trail any certificate. Only one that the issuer signed vouches.
func FuzzCertificate(f *testing.F) {
	r := newRoot(f)
	s := newSealer(f, r, "broker")
	good := r.issuer.sign(claimsFor(s, noon))
	for _, text := range []string{good, s.cert, unsigned(`{"alg":"none"}`, claimsFor(s, noon)), "a.b.c", "..", "\n", strings.Replace(good, ".", "..", 1), `{"payload":"e30","signatures":[]}`} {
		f.Add(text)
	}
	cert := s.cert
	f.Fuzz(func(t *testing.T, text string) {
		s := newSealer(t, r, "broker")
		s.all, s.stored, s.from, s.settled, s.cert = nil, nil, 0, 0, text
		s.checkpoint(canonical.KindTrailOpened)
		s.close()
		got := report(t, r, places{"a": s.stored}, verify.Options{})
		if got.Trails[0].VouchedBy != "" && text != cert {
			t.Errorf("%q vouches for another key: %s", text, fmt.Sprint(got.Findings))
		}
	})
}
