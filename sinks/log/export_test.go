package log

// ReadEvents and ParseEvents read logs back for the tests outside the package.
var (
	ReadEvents  = readAll
	ParseEvents = parse
)
