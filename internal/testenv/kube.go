package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
)

// Kube is an etcd and a Kubernetes API server. Without StartControllers there is no garbage collection, and a deleted
// namespace stays in the phase Terminating.
//
// envtest is not enough here: it cannot kill a server with SIGKILL, and its servers may outlive the test binary.
type Kube struct {
	// Config authenticates as a cluster admin. Its QPS is -1, because client-go's default of 5 requests a second would
	// slow tests down. Do not change it: copy it with rest.CopyConfig.
	Config *rest.Config

	group     *group
	apiserver *process
	etcdURL   string
	path      string   // of kube-apiserver
	flags     []string // of the caller
	args      []string // kept, so that a restart listens on the same port with the same credentials
	pair      *keyPair
}

// StartKube starts both servers and returns when they are ready and the CRDs of deploy/crd are served. A
// missing binary is built first, which takes minutes. Stop it when done; it also ends with this process. The flags
// are given to the API server after those that it needs.
func StartKube(flags ...string) (*Kube, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	k, err := StartEmptyKube(flags...)
	if err != nil {
		return nil, err
	}
	if err := k.InstallCRDs(context.Background(), filepath.Join(root, "deploy", "crd")); err != nil {
		return nil, errors.Join(err, k.Stop())
	}
	return k, nil
}

// StartEmptyKube is StartKube without the CRDs.
func StartEmptyKube(flags ...string) (*Kube, error) {
	etcd, apiserver, err := kubeBinaries()
	if err != nil {
		return nil, err
	}
	return onFreePorts(func() (*Kube, error) {
		g, err := newGroup("kube")
		if err != nil {
			return nil, err
		}
		k := &Kube{group: g, path: apiserver, flags: flags}
		if err := k.start(etcd); err != nil {
			return nil, errors.Join(err, g.close())
		}
		return k, nil
	})
}

func (k *Kube) start(etcd string) error {
	addresses, err := freeAddresses(3)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := k.startEtcd(ctx, etcd, addresses[0], addresses[1]); err != nil {
		return err
	}
	k.etcdURL = "http://" + addresses[0]
	if err := k.configure(k.etcdURL, addresses[2]); err != nil {
		return err
	}
	return k.startAPIServer(ctx)
}

func (k *Kube) startEtcd(ctx context.Context, path, clientAddress, peerAddress string) error {
	clients, peers := "http://"+clientAddress, "http://"+peerAddress
	p, err := k.group.start(path,
		"--name=testenv",
		"--data-dir="+filepath.Join(k.group.dir, "etcd"),
		"--listen-client-urls="+clients, "--advertise-client-urls="+clients,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers,
		"--initial-cluster=testenv="+peers,
		"--unsafe-no-fsync", // the data is not needed after the test
	)
	if err != nil {
		return err
	}
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, clients+"/health", nil)
	if err != nil {
		return fmt.Errorf("testenv: ask etcd for its health: %w", err)
	}
	return p.waitReady(ctx, http.DefaultClient, get, "serving client traffic insecurely")
}

// configure sets the flags of the API server and the admin's configuration for it.
func (k *Kube) configure(etcdURL, address string) error {
	pair, err := newKeyPair(k.group.dir, "apiserver")
	if err != nil {
		return err
	}
	k.pair = pair
	token := rand.Text()
	tokens := filepath.Join(k.group.dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(token+`,admin,admin,"system:masters"`+"\n"), 0o600); err != nil {
		return fmt.Errorf("testenv: write the admin's token: %w", err)
	}
	host, port := splitAddress(address)
	k.args = []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=" + host, "--secure-port=" + port,
		"--endpoint-reconciler-type=none", // it refuses a loopback address, and no pod looks for the server
		"--cert-dir=" + k.group.dir,
		"--tls-cert-file=" + pair.certFile, "--tls-private-key-file=" + pair.keyFile,
		"--token-auth-file=" + tokens,
		"--authorization-mode=RBAC",
		// The tokens of service accounts are signed with the same key. A second key would protect nothing here.
		"--service-account-issuer=https://" + address,
		"--service-account-key-file=" + pair.keyFile, "--service-account-signing-key-file=" + pair.keyFile,
		"--service-cluster-ip-range=10.0.0.0/24",
		"--disable-admission-plugins=ServiceAccount", // no controller makes the accounts that it requires
	}
	k.args = append(k.args, k.flags...)
	k.Config = &rest.Config{
		Host:            "https://" + address,
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAData: pair.certPEM},
		QPS:             -1,
	}
	return nil
}

func (k *Kube) startAPIServer(ctx context.Context) error {
	client, err := rest.HTTPClientFor(k.Config)
	if err != nil {
		return fmt.Errorf("testenv: make a client of the API server: %w", err)
	}
	defer client.CloseIdleConnections()
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, k.Config.Host+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("testenv: ask the API server whether it is ready: %w", err)
	}
	if k.apiserver, err = k.group.start(k.path, k.args...); err != nil {
		return err
	}
	return k.apiserver.waitReady(ctx, client, get, "") // the client trusts only the certificate of this server
}

// Stop kills both servers and removes their data. A second call does nothing.
func (k *Kube) Stop() error { return k.group.close() }

// KillAPIServer ends the API server with SIGKILL, as a crash would, and returns when it is gone. etcd runs on.
func (k *Kube) KillAPIServer() error {
	select {
	case <-k.apiserver.done:
		return errors.New("testenv: kill the API server: it is not running; RestartAPIServer first")
	default:
	}
	k.apiserver.kill()
	return nil
}

// RestartAPIServer starts the API server again after KillAPIServer, on the same port with the same etcd. Clients that were
// made with Config go on working. It returns when the server is ready.
func (k *Kube) RestartAPIServer(ctx context.Context) error {
	select {
	case <-k.apiserver.done:
		return k.startAPIServer(ctx)
	default:
		return errors.New("testenv: restart the API server: it still runs; KillAPIServer first")
	}
}

// ConfigFor returns the configuration of a client that acts as this user in these groups. The client has only the rights
// that RBAC grants to them, which are almost none by default. A service account is the user
// "system:serviceaccount:NAMESPACE:NAME".
func (k *Kube) ConfigFor(user string, groups ...string) *rest.Config {
	config := rest.CopyConfig(k.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	return config
}
