package verify

import (
	"time"
)

// Verdict is what a verification comes to.
type Verdict string

// The verdicts.
const (
	// Intact: everything that was sealed is there, or is accounted for by those who sealed it.
	Intact Verdict = "intact"
	// Tampered: somebody changed the trail, or made a false one.
	Tampered Verdict = "tampered"
	// Undetermined: nothing shows that somebody changed the trail, and it is not proven that
	// nobody did.
	Undetermined Verdict = "undetermined"
)

// Level says what a finding means for the verdict.
type Level string

// The levels.
const (
	// LevelTampered findings make the verdict Tampered.
	LevelTampered Level = "tampered"
	// LevelUndetermined findings make it Undetermined, unless others make it Tampered.
	LevelUndetermined Level = "undetermined"
	// LevelNote is for what an auditor should know. It leaves the verdict as it is.
	LevelNote Level = "note"
)

// Code names a kind of finding.
type Code string

// The codes.
const (
	// CodeEdited: the content is not what was sealed.
	CodeEdited Code = "edited"
	// CodeSwapped: the seal was moved: the event was sealed at another place of a trail.
	CodeSwapped Code = "swapped"
	// CodeReplayed: an event has the seal of another one that is there.
	CodeReplayed Code = "replayed"
	// CodeComponent: a component sealed an event in another one's name.
	CodeComponent Code = "other-component"
	// CodeConflict: several contents have one seal, and no signature says which is right.
	CodeConflict Code = "conflict"
	// CodeDeleted: the component says that the event was stored, and it is in no place.
	CodeDeleted Code = "deleted"
	// CodeMissing: a place lacks an event that was stored, and another place has it.
	CodeMissing Code = "missing"
	// CodeYoung: a tombstone is over events that were not as old as the trust demands.
	CodeYoung Code = "young-tombstone"
	// CodeNotBelieved: a tombstone of a component that the trust does not let reap.
	CodeNotBelieved Code = "tombstone-not-believed"
	// CodeAge: a tombstone names an event that is gone, and no word of its component on its
	// age is there.
	CodeAge Code = "age-not-proven"
	// CodeReapedElsewhere: a tombstone speaks of a place that was not read.
	CodeReapedElsewhere Code = "reaped-elsewhere"
	// CodeUnknown: an index is in no place, and so is the checkpoint that told its outcome.
	CodeUnknown Code = "outcome-unknown"
	// CodeLost: the component says that the place it names will never hold the event.
	CodeLost Code = "declared-lost"
	// CodeDuplicate: the event is not there under its index, and under another one it is.
	CodeDuplicate Code = "duplicate"
	// CodeUnreadable: something that should be an event cannot be read as one.
	CodeUnreadable Code = "unreadable"
	// CodeUnfinished: the last line of a file has no end.
	CodeUnfinished Code = "unfinished"
	// CodeTorn: a line ends within an event, and others follow. It counts as if it were not there.
	CodeTorn Code = "torn-line"
	// CodeShortened: the place shortened the event. Its position is stated, and its content
	// is not proven.
	CodeShortened Code = "content-not-proven"
	// CodeMadeUp: a seal that no component gave.
	CodeMadeUp Code = "made-up-seal"
	// CodeUnsealed: an event without a seal of a component that seals: the seal was stripped,
	// or the event inserted.
	CodeUnsealed Code = "unsealed"
	// CodeNotSealed: events without seals of which the trust does not say whether they should
	// have some.
	CodeNotSealed Code = "not-sealed"
	// CodeNoCheckpoint: events have seals of a trail without a single checkpoint.
	CodeNoCheckpoint Code = "no-checkpoint"
	// CodeNotCovered: nothing that is there proves these indices one by one.
	CodeNotCovered Code = "not-covered"
	// CodeTail: nothing is signed yet that has these events.
	CodeTail Code = "not-protected-yet"
	// CodeForged: the signature of a checkpoint is not that of its key.
	CodeForged Code = "forged-signature"
	// CodeFork: two signed states of one trail exclude each other.
	CodeFork Code = "fork"
	// CodeOtherKey: a checkpoint has another key than the trail.
	CodeOtherKey Code = "other-key"
	// CodeUnvouched: no key and no issuer of the trust vouches for the key of the trail, or not at
	// the time of a checkpoint.
	CodeUnvouched Code = "nobody-vouches"
	// CodeCertificate: the certificate of the trail's key is one that the trust contradicts.
	CodeCertificate Code = "bad-certificate"
	// CodeVouchedLate: the token that vouches for the key is younger than the trail.
	CodeVouchedLate Code = "vouched-late"
	// CodeTrailDeleted: another trail tells of a trail that is not there.
	CodeTrailDeleted Code = "trail-deleted"
	// CodeTailCut: another trail tells of more of a trail than is there.
	CodeTailCut Code = "tail-cut"
	// CodeHead: another trail tells of a state of a trail that no known key of that trail has signed.
	CodeHead Code = "head-unproven"
	// CodeSourceFailed: a source could not be read to its end.
	CodeSourceFailed Code = "source-failed"
	// CodeAbsent: no proven trail of a component is there that the trust expects.
	CodeAbsent Code = "component-absent"
	// CodeNothing: nothing that was read is sealed.
	CodeNothing Code = "nothing-sealed"
)

// Finding is one thing that was found.
type Finding struct {
	Code  Code  `json:"code"`
	Level Level `json:"level"`
	// Trail is the id of the trail; "" for none.
	Trail string `json:"trail,omitempty"`
	// Index and Last are the first and the last index that it is about; -1 for none.
	Index int64 `json:"index"`
	Last  int64 `json:"last"`
	// Name of the event, as "namespace/name".
	Name string `json:"name,omitempty"`
	// Place is the name of the source, and At says where in it.
	Place string `json:"place,omitempty"`
	At    string `json:"at,omitempty"`
	// Text says it in a sentence. It may quote what a workload wrote.
	Text string `json:"text"`
	// Notes are the signed notes that show it: those of a fork, or of what another trail tells.
	Notes []string `json:"notes,omitempty"`
}

// Trail says what is known of one trail.
type Trail struct {
	ID        string `json:"id"`
	Cluster   string `json:"cluster,omitempty"`
	Component string `json:"component,omitempty"`
	// VouchedBy is the name of the trust's key or issuer that certified the trail's key; "" for nobody.
	VouchedBy string `json:"vouchedBy,omitempty"`
	// ServiceAccount asked for the token that vouches, as "namespace/name", and Pod is the one that
	// the token is bound to. "" where a long-term key vouches, and where there is no pod.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	Pod            string `json:"pod,omitempty"`
	// Size is how many leaves the last good checkpoint is signed over, and Checkpoints how many
	// good ones there are.
	Size        int64 `json:"size"`
	Checkpoints int   `json:"checkpoints"`
	// FirstIndex and LastIndex are those of the events that are there; -1 for none.
	FirstIndex int64 `json:"firstIndex"`
	LastIndex  int64 `json:"lastIndex"`
	// FirstTime and LastTime are the times of the first and the last event, as signed.
	FirstTime time.Time `json:"firstTime,omitzero"`
	LastTime  time.Time `json:"lastTime,omitzero"`
	// Closed says that the trail was ended by its component. Otherwise the component runs on, or
	// was killed.
	Closed bool `json:"closed"`
	// Places are those that have something of the trail.
	Places []string `json:"places"`
	// Intact counts the indices whose events are there as they were sealed, and Repeats how
	// often one is there once more in the same place.
	Intact  int64 `json:"intact"`
	Repeats int64 `json:"repeats"`
	// Failed, Unclear and Unresolved count the indices that are not there and need not be: the
	// component says that the write failed, that it does not know, or it says nothing of it.
	Failed     int64 `json:"failed"`
	Unclear    int64 `json:"unclear"`
	Unresolved int64 `json:"unresolved"`
	// Retired counts the indices that a place has no more because a reaper deleted them when
	// their time was over, as believed tombstones say.
	Retired int64 `json:"retired"`
	// Tail counts the indices that no signature protects yet.
	Tail int64 `json:"tail"`
}

// Report is what a verification found.
type Report struct {
	Trails   []Trail   `json:"trails"`
	Findings []Finding `json:"findings"`
	Verdict  Verdict   `json:"verdict"`
	// Events counts the events that were read, and Unsealed those without a seal.
	Events   int64 `json:"events"`
	Unsealed int64 `json:"unsealed"`
	// Retired counts those of the trails, and those of trails of which only others tell.
	Retired int64 `json:"retired"`
}

// verdict returns what the findings come to.
func verdict(findings []Finding) Verdict {
	v := Intact
	for i := range findings {
		switch findings[i].Level {
		case LevelTampered:
			return Tampered
		case LevelUndetermined:
			v = Undetermined
		}
	}
	return v
}
