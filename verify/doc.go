// Package verify tells whether a sealed audit trail is what its components wrote: from events
// that were exported or are read live, and from keys that the auditor has by another way.
//
//	trust, err := verify.LoadTrust("trust.yaml")
//	if err != nil {
//		return err
//	}
//	v := verify.New(trust, verify.Options{})
//	if err := v.Read(ctx, reading.Files("files", "audit.log")); err != nil {
//		return err
//	}
//	report := v.Report()
//	fmt.Println(report.Verdict)
//
// Nothing in the events is believed before a key or an issuer of the trust vouches for it: a
// certificate in a checkpoint binds the key of the trail, that key signs the checkpoint,
// and the checkpoint has the leaves of the events. A certificate is a note that a long-term
// key signed, or a token that a cluster issued to a service account.
//
// A Finding has a Code that stays the same from version to version. Its Level says what it means
// for the verdict.
//
// Memory grows with the number of events, by some 250 bytes for each at each place. Events
// themselves are not kept.
package verify
