// Package apiaudit sets up the audit backends of the Kubernetes API server as that server does.
package apiaudit

import (
	"encoding/json"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/plugin/pkg/audit/buffered"
	auditlog "k8s.io/apiserver/plugin/pkg/audit/log"

	"k8s.io/klog/v2"

	authnv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// Log is the backend that writes lines of JSON.
func Log(out io.Writer) audit.Backend {
	return auditlog.NewBackend(out, auditlog.FormatJson, auditv1.SchemeGroupVersion)
}

// Silence keeps what the API server's packages log, one error for each event that is dropped, from the benchmark's
// output. Formatting it is part of what such an event costs, and stays.
func Silence() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
}

// Buffered is what --audit-log-mode=batch puts in front of Log, with the API server's defaults.
func Buffered(next audit.Backend) audit.Backend {
	return buffered.NewBackend(next, buffered.BatchConfig{BufferSize: 10_000, MaxBatchSize: 1})
}

// Event says what ae says in the API server's own type of audit event: the decision and its reasons as annotations,
// where the API server's admission puts them, and the detail as the request object.
func Event(ae *v1alpha1.AuditEvent) (*auditinternal.Event, error) {
	s := &ae.Spec
	ev := &auditinternal.Event{
		Level: auditinternal.LevelRequest, AuditID: types.UID("0b1f1c2e-3d8f-4a57-9d2e-6c1f0a7b8c9d"),
		Stage: auditinternal.StageResponseComplete, RequestURI: "/apis/paddock.dev/v1alpha1/namespaces/" + ae.Namespace + "/runs",
		Verb: "create", User: authnv1.UserInfo{Username: "system:serviceaccount:paddock:bench"}, UserAgent: "bench",
		ObjectRef:                &auditinternal.ObjectReference{Resource: "runs", Namespace: ae.Namespace, Name: s.RunRef.Name},
		ResponseStatus:           &metav1.Status{Code: 201},
		RequestReceivedTimestamp: metav1.NewMicroTime(s.Timestamp.Time),
		StageTimestamp:           metav1.NewMicroTime(s.Timestamp.Time),
		Annotations: map[string]string{
			"paddock.dev/decision": string(s.Decision), "paddock.dev/kind": string(s.Kind), "paddock.dev/reason": s.Reason,
		},
	}
	if s.MatchedPolicy != nil {
		ev.Annotations["paddock.dev/policy"] = s.MatchedPolicy.Name
	}
	if s.Credential != nil {
		ev.Annotations["paddock.dev/credential"] = s.Credential.Provider + "/" + s.Credential.Name
	}
	if s.Destination != nil {
		ev.Annotations["paddock.dev/destination"] = s.Destination.Host
	}
	if len(s.Detail) > 0 {
		raw, err := json.Marshal(s.Detail)
		if err != nil {
			return nil, err
		}
		ev.RequestObject = &runtime.Unknown{Raw: raw, ContentType: runtime.ContentTypeJSON}
	}
	return ev, nil
}
