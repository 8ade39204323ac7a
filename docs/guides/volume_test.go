package guides_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/spool"
)

func Example_volume() {
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	lake := &sinktest.Recorder{}
	lake.FailWith(errors.New("away")) // nothing is delivered, so that the spool fills
	sink, err := spool.New(dir, lake, spool.Options{MaxBytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = spool.New(dir, &sinktest.Recorder{}, spool.Options{})
	fmt.Println(strings.ReplaceAll(err.Error(), dir, "DIR"))

	for err = nil; err == nil; {
		err = sink.Write(context.Background(), auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"}))
	}
	var failed *auditing.WriteError
	if errors.As(err, &failed) {
		fmt.Println(failed.Class, "-", failed.Err)
	}
	lake.FailWith(nil)
	if err := sink.Close(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// spool: opening DIR: another sink, of this process or another one, uses DIR: give each a path of its own: resource temporarily unavailable
	// full - the waiting events and the dead letters would exceed MaxBytes: see why the next sink does not take them, and requeue or remove the dead letters
}

func TestEveryReplicaHasASpoolOfItsOwn(t *testing.T) {
	var set appsv1.StatefulSet
	var file struct {
		Sinks struct{ Disk struct{ Dir string } }
	}
	for _, block := range shown(read(t, "volume.md"), "yaml") {
		switch {
		case strings.HasPrefix(block, "# statefulset.yaml\n"):
			if err := yaml.UnmarshalStrict([]byte(block), &set); err != nil {
				t.Fatal(err)
			}
		case strings.HasPrefix(block, "# audit.yaml\n"):
			if err := yaml.Unmarshal([]byte(block), &file); err != nil {
				t.Fatal(err)
			}
		}
	}
	spec := set.Spec.Template.Spec
	if len(spec.Containers) != 1 || len(spec.Containers[0].VolumeMounts) != 1 || len(set.Spec.VolumeClaimTemplates) != 1 {
		t.Fatalf("want one container with one volume of one claim: %+v", set.Spec)
	}
	mount, claim := spec.Containers[0].VolumeMounts[0], set.Spec.VolumeClaimTemplates[0]
	if mount.Name != claim.Name || len(spec.Volumes) != 0 {
		t.Errorf("the mount %s is not of the claim %s", mount.Name, claim.Name)
	}
	if !strings.HasPrefix(file.Sinks.Disk.Dir, mount.MountPath+"/") {
		t.Errorf("the spool in %q is not on the volume at %s", file.Sinks.Disk.Dir, mount.MountPath)
	}
}
