package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// WriteCertificate writes the files tls.crt and tls.key for a server on the loopback address into dir, and returns the
// certificate in PEM, which is the authority of its clients as well.
func WriteCertificate(tb testing.TB, dir string) (authority []byte) {
	tb.Helper()
	pair, err := newKeyPair(dir, "tls")
	if err != nil {
		tb.Fatal(err)
	}
	return pair.certPEM
}

// keyPair is a self-signed certificate for the loopback address. The server could make a certificate itself. This one is
// known before the server runs, and takes a millisecond to make, because its key is an elliptic curve key.
type keyPair struct {
	certFile, keyFile string
	certPEM           []byte
}

func newKeyPair(dir, name string) (*keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("testenv: make the key of a server: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "testenv"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		IPAddresses:           []net.IP{net.ParseIP(loopback)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("testenv: make the certificate of a server: %w", err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("testenv: encode the key of a server: %w", err)
	}
	p := &keyPair{
		certFile: filepath.Join(dir, name+".crt"),
		keyFile:  filepath.Join(dir, name+".key"),
		certPEM:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
	}
	if err := os.WriteFile(p.certFile, p.certPEM, 0o600); err != nil {
		return nil, fmt.Errorf("testenv: write the certificate of a server: %w", err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
	if err := os.WriteFile(p.keyFile, keyPEM, 0o600); err != nil {
		return nil, fmt.Errorf("testenv: write the key of a server: %w", err)
	}
	return p, nil
}
