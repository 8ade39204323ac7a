package kubeseal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/seal"
)

// TokenOptions of a TokenAuthority. The zero value is for a component that runs in a pod, as its
// own service account.
type TokenOptions struct {
	// Namespace and Name are those of the service account that vouches. When both are empty, it is
	// the one as which the client is authenticated.
	Namespace, Name string
	// PodName and PodUID are those of the component's pod, to which the token is bound. When both
	// are empty, it is the one that the client's own token is bound to, if Name is empty as well;
	// otherwise the token is bound to none.
	PodName string
	PodUID  types.UID
}

func (o *TokenOptions) check() error {
	if (o.Namespace == "") != (o.Name == "") {
		return errors.New("kubeseal: TokenOptions has one of Namespace and Name: set both, or none for the service account of the client")
	}
	if (o.PodName == "") != (o.PodUID == "") {
		return errors.New("kubeseal: TokenOptions has one of PodName and PodUID: set both, or none for the pod of the client")
	}
	return nil
}

// TokenAuthority is a seal.Authority whose certificates are tokens of a service account, by which the
// API server says that the service account asked for them. The audience of each is the key of one
// trail, so that no server accepts it for anything. It is safe for concurrent use.
//
// The client needs the right to create serviceaccounts/token for the one service account.
type TokenAuthority struct {
	client client.Client
	opts   TokenOptions
}

var _ seal.Authority = (*TokenAuthority)(nil)

// NewTokenAuthority returns a TokenAuthority that asks through c, whose scheme has to know core/v1 and
// authentication.k8s.io/v1, as that of client-go does. It asks nothing yet: the API server may be
// away.
func NewTokenAuthority(c client.Client, opts TokenOptions) (*TokenAuthority, error) {
	if c == nil {
		return nil, errors.New("kubeseal: the client is nil: give one of the API server")
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		authenticationv1.SchemeGroupVersion.WithKind("TokenRequest"),
	} {
		if !c.Scheme().Recognizes(kind) {
			return nil, fmt.Errorf("kubeseal: the scheme of the client does not know %s: add %s to it", kind.Kind, kind.GroupVersion())
		}
	}
	return &TokenAuthority{c, opts}, nil
}

// shortest is the shortest life of a token that an API server grants.
const shortest = 10 * time.Minute

// Certify asks for a token that ends at notAfter. The API server may grant less, and its clock says
// when the token begins.
func (a *TokenAuthority) Certify(ctx context.Context, key string, _, notAfter time.Time) (string, time.Time, error) {
	account, pod, err := a.who(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	begun := time.Now()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{trail.TokenAudience(key)}, ExpirationSeconds: new(int64(max(notAfter.Sub(begun), shortest) / time.Second)), BoundObjectRef: pod,
	}}
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: account.Namespace, Name: account.Name}}
	switch err := a.client.SubResource("token").Create(ctx, object, request); {
	case apierrors.IsForbidden(err):
		return "", time.Time{}, fmt.Errorf("kubeseal: a token of the service account %s: %w: allow the component to create serviceaccounts/token with this resourceName", account, err)
	case err != nil:
		return "", time.Time{}, fmt.Errorf("kubeseal: a token of the service account %s: %w", account, err)
	}
	until, err := check(request.Status.Token, key, account.String(), time.Now())
	if err != nil {
		return "", time.Time{}, fmt.Errorf("kubeseal: the token that the API server returned is of no use: %w", err)
	}
	return request.Status.Token, until, nil
}

// Names of what a token says of its pod.
const (
	extraPodName = "authentication.kubernetes.io/pod-name"
	extraPodUID  = "authentication.kubernetes.io/pod-uid"
)

// who returns the service account that vouches, and the pod of the component; nil when it is not known.
func (a *TokenAuthority) who(ctx context.Context) (account types.NamespacedName, pod *authenticationv1.BoundObjectReference, err error) {
	account = types.NamespacedName{Namespace: a.opts.Namespace, Name: a.opts.Name}
	if a.opts.PodName != "" {
		pod = podRef(a.opts.PodName, a.opts.PodUID)
	}
	if account.Name == "" {
		review := &authenticationv1.SelfSubjectReview{}
		if err := a.client.Create(ctx, review); err != nil {
			return account, nil, fmt.Errorf("kubeseal: asking the API server as whom it knows the component: %w", err)
		}
		user := review.Status.UserInfo
		namespace, name, ok := strings.Cut(trail.ServiceAccountOf(user.Username), "/")
		if !ok {
			return account, nil, fmt.Errorf("kubeseal: the API server knows the component as %q, which is no service account: name one", user.Username)
		}
		account = types.NamespacedName{Namespace: namespace, Name: name}
		names, uids := user.Extra[extraPodName], user.Extra[extraPodUID]
		if pod == nil && len(names) == 1 && len(uids) == 1 {
			pod = podRef(names[0], types.UID(uids[0]))
		}
	}
	return account, pod, nil
}

func podRef(name string, uid types.UID) *authenticationv1.BoundObjectReference {
	return &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: name, UID: uid}
}

// check refuses a token that verification would refuse. It returns when the token ends. The error
// does not quote it.
func check(token, key, account string, now time.Time) (time.Time, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, errors.New("it is no JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, errors.New("it is no JWT")
	}
	c, err := trail.ParseClaims(payload)
	if err == nil {
		err = c.For(key)
	}
	switch behind := c.From().Sub(now); {
	case err != nil:
		return time.Time{}, err
	case c.ServiceAccount != account:
		return time.Time{}, fmt.Errorf("it is one of the service account %s, and that of %s was asked for", c.ServiceAccount, account)
	case behind > trail.TokenLeeway:
		return time.Time{}, fmt.Errorf("the clock here is %s behind that of the API server: set it", behind.Round(time.Second))
	}
	return c.Expires, nil
}
