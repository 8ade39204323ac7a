package lokiclient_test

// loki-client-go requires a google.golang.org/genproto that still holds packages which have modules of their own now. A
// program that also imports one of those modules would find such packages twice, and go mod tidy would fail there. The
// import keeps a later genproto in go.mod. It is in a test, so that programs link nothing of it.
import _ "google.golang.org/genproto/googleapis/type/dayofweek"
