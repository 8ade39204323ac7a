// Package config reads one file that names sinks and says which component writes
// where, so that a destination changes without a change of code.
//
//	trail, err := config.Open(ctx, "audit.yaml", builtin.Types(), config.Deps{})
//	if err != nil {
//		return err // every problem of the file, with its line
//	}
//	defer trail.Close(ctx)
//	logger.Info("audit trail", "chains", trail.String())
//	sink := trail.For("broker") // an auditing.Sink
//
// A sink that several components or stages name is opened once. The trail follows
// its file: a good new one takes over without losing or failing a write under
// way, a bad one is refused and the old one goes on.
//
// The types of sinks are a value. builtin.Types has those of this module; who has
// a destination of their own adds it with Types.Add.
package config
