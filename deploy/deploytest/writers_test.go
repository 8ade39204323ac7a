package deploytest

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

func TestAComponentIsWrittenOnlyByThoseItWasGivenTo(t *testing.T) {
	team, other := kube.Namespace(t), kube.Namespace(t)
	give(t, map[string]string{
		"broker":    accountName(team, "broker") + "\nalice@example.com\n",
		"proxy":     "  system:serviceaccount:{namespace}:proxy  \n\n",
		"nobody":    "",
		"collector": "system:serviceaccount:{namespace}:{run}-collector",
		"workspace": "system:serviceaccount:{namespace}:workspace-*\n{run}*",
	})
	for _, group := range []string{"system:serviceaccounts:" + team, "system:serviceaccounts:" + other, "writers"} {
		bind(t, "audit-emitter", "", rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: group})
	}
	for name, test := range map[string]struct {
		writer    client.Client
		component string
		namespace string
		allowed   bool
		run       string // "hr-1" when empty, none when "-"
	}{
		"the account that it was given to":     {serviceAccount(t, team, "broker"), "broker", team, true, ""},
		"the same in another namespace":        {serviceAccount(t, team, "broker"), "broker", other, true, ""},
		"a user that it was given to":          {user(t, "alice@example.com", "writers"), "broker", team, true, ""},
		"another account":                      {serviceAccount(t, team, "proxy"), "broker", team, false, ""},
		"an account of that name elsewhere":    {serviceAccount(t, other, "broker"), "broker", team, false, ""},
		"a name that only begins so":           {serviceAccount(t, team, "broker-2"), "broker", team, false, ""},
		"a name that the list only begins":     {user(t, "alice", "writers"), "broker", team, false, ""},
		"an administrator":                     {admin, "broker", team, false, ""},
		"{namespace} is that of the event":     {serviceAccount(t, team, "proxy"), "proxy", team, true, ""},
		"{namespace} is no other":              {serviceAccount(t, team, "proxy"), "proxy", other, false, ""},
		"a component given to nobody":          {serviceAccount(t, team, "broker"), "nobody", team, false, ""},
		"the empty name is not in empty lines": {user(t, "system:anonymous", "writers"), "nobody", team, false, ""},
		"a component that is not mapped":       {serviceAccount(t, team, "broker"), "webhook", team, false, ""},
		"a key that is a list method":          {serviceAccount(t, team, "broker"), "size", team, false, ""},
		"an event without a component":         {serviceAccount(t, team, "webhook"), "", team, true, ""},
		"{run} is that of the event":           {serviceAccount(t, team, "hr-1-collector"), "collector", team, true, ""},
		"{run} is no other":                    {serviceAccount(t, team, "hr-2-collector"), "collector", team, false, ""},
		"{run} of an event without a run":      {serviceAccount(t, team, "-collector"), "collector", team, false, "-"},
		"{run} that is no DNS name":            {user(t, "system:serviceaccount:"+team+":x:y-collector", "writers"), "collector", team, false, "x:y"},
		"a beginning":                          {serviceAccount(t, team, "workspace-7"), "workspace", team, true, ""},
		"a beginning in another namespace":     {serviceAccount(t, other, "workspace-7"), "workspace", team, false, ""},
		"a beginning that nothing has":         {serviceAccount(t, team, "worker"), "workspace", team, false, ""},
		"a beginning with {run} and no run":    {serviceAccount(t, team, "worker"), "workspace", team, false, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			ae := newEvent(test.namespace, test.component)
			switch test.run {
			case "":
			case "-":
				ae.Spec.RunRef = nil
				delete(ae.Labels, v1alpha1.LabelRun)
			default:
				ae.Spec.RunRef.Name = test.run
				ae.Labels[v1alpha1.LabelRun] = auditing.RunLabel(test.run)
			}
			if test.allowed {
				eventually(t, func() error { return ignoreExists(test.writer.Create(t.Context(), ae.DeepCopy())) })
				if got := raw(t, ae).GetLabels()[v1alpha1.LabelComponent]; got != test.component {
					t.Errorf("stored as component %q, want %q", got, test.component)
				}
				return
			}
			err := test.writer.Create(t.Context(), ae.DeepCopy())
			checkRefusal(t, err, wanted{writersPolicy, []string{
				`may not write as the component "` + test.component + `"`,
				"the key " + test.component + " of the ConfigMap audit-system/audit-components",
			}})
			if !apierrors.IsForbidden(err) {
				t.Errorf("%v is not Forbidden", err)
			}
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(ae), ae); !apierrors.IsNotFound(err) {
				t.Errorf("read back: %v, want not found", err)
			}
		})
	}
}

func TestAnEmptyOrMissingMappingAllowsEveryComponent(t *testing.T) {
	give(t, map[string]string{"broker": "alice"})
	setMapping(t, nil)
	must(t, admin.Create(t.Context(), newEvent("default", "broker")))

	setMapping(t, map[string]string{"broker": "alice"})
	must(t, admin.Delete(t.Context(), newConfigMap("audit-system", "audit-components")))
	eventually(t, func() error { return admin.Create(t.Context(), newEvent("default", "broker")) })
}
