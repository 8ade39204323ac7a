// The program zap logs with zap and has no trail.
package main

import "go.uber.org/zap"

func main() { zap.Must(zap.NewProduction()).Info("started") }
