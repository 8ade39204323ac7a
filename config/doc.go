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
// its file. A good new file takes over, and no write under way is lost or fails. A
// bad new file is refused, and the old configuration goes on.
//
// The types of sinks are a value. builtin.Types returns those of this module, and
// Types.Add adds a type of the program's own.
package config
