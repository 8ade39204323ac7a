package main

// questions are all comparisons, in the order in which they are shown.
var questions = []question{
	logFile, lokiPush, otlpLogs, webhookPost, kubeCreate, fanOut, builders, durable, growthEvents, growthWriters, drainSpool, readLog, linked,
}

var logFile = question{
	id: "logfile", dir: "logfile", title: "To a log file",
	intro: "One writer, one file on the same disk for everybody, no rotation, no fsync. nil means that the operating system " +
		"has the line. ns/event is the whole time, and lost is counted in the file afterwards.",
	runs: []run{{pattern: "LogFile/event=EVENT/peer=.*", full: 30_000, quick: 20_000, seconds: 8}},
	peers: []peer{
		{ours, "this library", "`log.NewFile`: a new event, which is validated, named, labelled, stamped and written; an error of the write is the caller's"},
		{"ours-named", "this library, event with a name", "the same with an event that has its name, as a second sink or attempt sees it"},
		{"ours-on-core", "this library, on a zap core", "`log.New` on the program's own zap core, with a context that can end: the event is copied, and written on a goroutine that the caller can leave"},
		{"zap-core", "zap core, ready-made line", "`zapcore.Core.Write` of the very same line, its fields made beforehand: what zap itself takes"},
		{"zap-fields", "zap, flat fields", "`zap.Logger.Info` with a flat list of fields; a write error goes to stderr, not to the caller"},
		{"zap-reflect", "zap, one Reflect field", "`zap.Logger.Info` with the event as one `zap.Reflect` field"},
		{"slog", "slog", "`slog` with its JSON handler and flat attributes; a write error is dropped"},
		{"zerolog", "zerolog", "zerolog with the same flat fields; a write error goes to stderr"},
		{"apiserver", "apiserver, blocking", "the Kubernetes API server's audit log backend, mode `blocking`; an error is a false, and logged"},
		{"apiserver-buffered", "apiserver, buffered", "the same behind its buffer (mode `batch`, 10,000 events): true also for an event that was dropped because the buffer was full"},
		{"eventlogger", "eventlogger", "HashiCorp's eventlogger, a broker with JSON formatter and file sink; an error is the caller's"},
	},
	series: "event",
	aims: []aim{
		{text: "A named event takes at most 1.1 of bare zap", unit: "ns/op", of: "ours-named", by: "zap-core", bound: 1.1, in: allEvents},
		{text: "A new event takes at most 1.25 of bare zap", unit: "ns/op", of: ours, by: "zap-core", bound: 1.25, in: allEvents},
		{text: "At least 2.2 times as fast as the API server's", unit: "ns/op", of: "apiserver", by: ours, bound: 2.2, atLeast: true, in: allEvents},
	},
}

var lokiPush = question{
	id: "loki", dir: "loki", title: "To VictoriaLogs, by Loki's push",
	intro: "One real VictoriaLogs on the same machine, whose own processor time is not counted. The time of the unconfirmed " +
		"clients ends when all that they took is delivered. lost is what the server does not have afterwards, by a query. All " +
		"that ours calls written is answered by the server before Write returns (level accepted); the others have heard nothing by then.",
	runs: []run{
		{pattern: "Loki/writers=1$/event=EVENT/peer=.*", full: 500, quick: 300, seconds: 5},
		{pattern: "Loki/writers=64$/event=EVENT/peer=.*", full: 10_000, quick: 5_000, seconds: 9},
		{pattern: "Loki/writers=1024$/event=EVENT/peer=.*", full: 10_000, quick: 10_000, seconds: 8},
	},
	peers: []peer{
		{ours, "this library", "`loki.Sink`: nil when the server answered 204 for a request that holds the event"},
		{"lokiclient", "this library, on loki-client-go", "`lokiclient.Sink`, this project's wrapper of loki-client-go: the same entries; nil means in memory"},
		{"loki-client-go", "loki-client-go, bare line", "the client itself, with the event's JSON as the line and no metadata: nil always; drops a batch after ten attempts"},
		{"slog-loki", "slog-loki, bare line", "samber/slog-loki on that client, the same line: nothing is told to the caller"},
		{"otlp", "OpenTelemetry, batches", "OpenTelemetry's batch processor and OTLP exporter, its defaults, into the server's OTLP endpoint: drops beyond 2,048 waiting records, untold"},
		{"post", "bare POST, ready-made", "the limit: requests that were encoded and compressed beforehand, with one entry for each writer, sent one after the other"},
	},
	series: "writers", pinned: map[string]string{"event": headlineEvent},
	aims: []aim{
		// All of the clients but ours and the bare POST have heard nothing when their Write returns.
		{text: "At least 2.2 times the rate of the same content by loki-client-go, at 1,024 writers", unit: "ns/op", of: "lokiclient", by: ours, bound: 2.2, atLeast: true, in: settings("writers", "1024")},
		{text: "At most 0.4 of its processor time", unit: unitCPU, of: ours, by: "lokiclient", bound: 0.4, in: settings("writers", "1024")},
		{text: "At least the rate of the same content by loki-client-go, at 64 writers", unit: "ns/op", of: "lokiclient", by: ours, bound: 1, atLeast: true, in: settings("writers", "64")},
		{text: "At least the rate of loki-client-go with a bare line, at 1,024 writers", unit: "ns/op", of: "loki-client-go", by: ours, bound: 1, atLeast: true, in: settings("writers", "1024")},
		{text: "At most 0.8 of its processor time", unit: unitCPU, of: ours, by: "loki-client-go", bound: 0.8, in: settings("writers", "1024")},
		{text: "At least 0.9 of the rate of the limit, at 1,024 writers", unit: "ns/op", of: "post", by: ours, bound: 0.9, atLeast: true, in: settings("writers", "1024")},
	},
}

var webhookPost = question{
	id: "webhook", dir: "webhook", title: "To a webhook",
	intro: "A receiver on the same machine that counts events and stores none, whose own processor time is not counted. " +
		"Everybody has 8 connections and sends the same signed requests of a credential-issued event. lost is what the receiver has not counted afterwards.",
	runs: []run{
		{pattern: "Webhook/writers=1$/event=credential/peer=.*", full: 500, quick: 300, seconds: 2},
		{pattern: "Webhook/writers=64$/event=credential/peer=.*", full: 5_000, quick: 5_000, seconds: 4},
		{pattern: "Webhook/writers=1024$/event=credential/peer=.*", full: 10_000, quick: 10_000, seconds: 5},
	},
	peers: []peer{
		{ours, "this library", "`webhook.Sink`, one event a request: nil when the receiver answered 204"},
		{"ours-batch", "this library, batches", "the same in the mode batch, up to 100 events a request: nil when the receiver answered 204 for a request with the event"},
		{"post", "bare POST, ready-made", "requests that were made and signed beforehand, one event each, by as many writers"},
		{"post-batch", "bare POST of batches, ready-made", "the limit: requests with 100 events that were made and signed beforehand"},
	},
	series: "writers", pinned: map[string]string{"event": headlineEvent},
}

var otlpLogs = question{
	id: "otlp", dir: "otlp", title: "By OTLP",
	intro: "One receiver in another process, which answers 200 at once, so that the clients are compared and no server. The time of the " +
		"SDK ends when it has been shut down, which sends what it holds. lost is what the receiver has not got by then. All that ours calls " +
		"written is answered before Write returns; the SDK tells no caller anything.",
	runs: []run{
		{pattern: "OTLP/writers=1$/event=EVENT/peer=.*", full: 500, quick: 300, seconds: 2},
		{pattern: "OTLP/writers=64$/event=EVENT/peer=.*", full: 10_000, quick: 5_000, seconds: 4},
		{pattern: "OTLP/writers=1024$/event=EVENT/peer=.*", full: 10_000, quick: 10_000, seconds: 4},
	},
	peers: []peer{
		{ours, "this library", "`otlp.Sink`: nil when the receiver answered 200 and rejected nothing; gzip, its default"},
		{"ours-plain", "this library, without gzip", "the same with `Compression: none`"},
		{"sdk", "OpenTelemetry, batches", "OpenTelemetry's batch processor and OTLP exporter, their defaults, without compression: drops beyond 2,048 waiting records, untold"},
		{"sdk-gzip", "OpenTelemetry, batches, gzip", "the same with gzip"},
	},
	series: "writers", pinned: map[string]string{"event": headlineEvent},
}

var kubeCreate = question{
	id: "kube", dir: "kube", title: "To the API server",
	intro: "A real kube-apiserver and etcd on the same machine (etcd without fsync), whose own processor time is not " +
		"counted. Every client is controller-runtime's, with QPS -1.",
	runs: []run{{pattern: "Kube/writers=.*/event=EVENT/peer=.*", full: 150, quick: 100, seconds: 15}},
	peers: []peer{
		{ours, "this library", "`kube.Sink`: nil when the object is in etcd; writing the event again after a timeout leaves one object"},
		{"create-named", "client.Create, named by the caller", "`client.Create` of the object that ours creates, named, labelled and stamped"},
		{"create", "client.Create, named by the server", "`client.Create` of the event as its builder leaves it: the server makes up the name, so a retry is a second object, and the time has whole seconds"},
		{"post", "bare POST, ready-made", "the limit: objects that were encoded beforehand, an answer that is not decoded, on client-go's own connection"},
	},
	series: "writers", pinned: map[string]string{"event": headlineEvent},
	aims: []aim{
		{text: "At most 1.05 of the processor time of a bare client with the same object", unit: unitCPU, of: ours, by: "create-named", bound: 1.05, in: settings("writers", "1", "8", "64")},
		{text: "At least 0.98 of its speed", unit: "ns/op", of: "create-named", by: ours, bound: 0.98, atLeast: true, in: settings("writers", "1", "8", "64")},
	},
}

var fanOut = question{
	id: "fanout", dir: "fanout", title: "To three destinations at once",
	intro: "Three log files on the same disk, or three destinations that do nothing, so that what is left is the fan-out " +
		"itself. One writer. Ours validates and names the event, and gives each destination a copy and a goroutine of its own.",
	runs: []run{
		{pattern: "Fanout/to=nothing/event=EVENT/peer=.*", full: 30_000, quick: 20_000, seconds: 3},
		{pattern: "Fanout/to=files/event=EVENT/peer=.*", full: 10_000, quick: 5_000, seconds: 4},
	},
	peers: []peer{
		{ours, "this library", "`multi.Sink` that requires all: at once, until the last has answered; a destination that hangs holds nobody beyond the caller's context"},
		{"one-child", "one destination alone", "one of the three destinations alone: what the fan-out is to add little to"},
		{"eventlogger", "eventlogger, at once", "eventlogger's broker with three pipelines, at once; all have to succeed"},
		{"slog-multi", "slog-multi, one by one", "samber/slog-multi's Fanout over three handlers, one after the other"},
		{"apiserver", "apiserver, one by one", "the API server's audit.Union over three backends, one after the other"},
	},
	series: "to", pinned: map[string]string{"event": headlineEvent},
	aims: []aim{
		{text: "At most 3 microseconds over one destination that does nothing", unit: "ns/op", of: ours, by: "one-child", minus: true, bound: 3000, in: settings("to", "nothing")},
		{text: "At most 3 microseconds over one log file", unit: "ns/op", of: ours, by: "one-child", minus: true, bound: 3000, in: settings("to", "files")},
	},
}

var builders = question{
	id: "builders", dir: "builders", title: "Building an event",
	intro:  "A builder of package auditing beside a struct literal of the same event. A test holds the two equal.",
	runs:   []run{{pattern: "Builders/event=EVENT/peer=.*", full: 300_000, quick: 200_000, seconds: 3}},
	peers:  []peer{{ours, "this library", "the builder, with a time that no other event has"}, {"literal", "struct literal", "the literal, with `time.Now`"}},
	series: "event",
	aims:   []aim{{text: "At most 1.3 of a literal", unit: "ns/op", of: ours, by: "literal", bound: 1.3, in: allEvents}},
}

var durable = question{
	id: "durable", dir: "durable", title: "To the local disk, fsynced",
	intro: "nil means that the event is on the disk. Each store encodes the event as JSON and keeps it under the next " +
		"number, as it comes: nothing gathers writes for those that do not do it themselves. What else they lose and " +
		"what a damaged bit costs them is in [decision 0015](adr/0015-the-spool-is-a-log-of-its-own.md).",
	runs: []run{
		{pattern: "Durable/writers=1$/event=EVENT/peer=.*", full: 200, quick: 200, seconds: 5},
		{pattern: "Durable/writers=64$/event=EVENT/peer=(ours|ours-delivering|ours-log-fsync|pebble|bbolt)$", full: 10_000, quick: 5_000, seconds: 6},
		{pattern: "Durable/writers=64$/event=EVENT/peer=(raft-wal|tidwall-wal|fdatasync)$", full: 300, quick: 300, seconds: 4},
		{pattern: "Durable/writers=1024$/event=EVENT/peer=(ours|ours-delivering|ours-log-fsync|pebble|bbolt)$", full: 30_000, quick: 20_000, seconds: 7},
		{pattern: "Durable/writers=1024$/event=EVENT/peer=(raft-wal|tidwall-wal|fdatasync)$", full: 1_024, quick: 1_024, seconds: 9},
	},
	peers: []peer{
		{ours, "this library, spool", "`spool.Sink` while its destination is away: only stored"},
		{"ours-delivering", "this library, spool delivering", "the same with a destination that takes everything at once: stored, read again and handed on"},
		{"ours-log-fsync", "this library, log with Fsync", "`log.NewFile` with Fsync: lines that wait share an fsync"},
		{"pebble", "pebble, Set", "cockroachdb/pebble, `Set` with `Sync`"},
		{"bbolt", "bbolt, Batch", "etcd's bbolt, `Batch` with 1 ms"},
		{"raft-wal", "raft-wal", "hashicorp/raft-wal, `StoreLog`: one append at a time"},
		{"tidwall-wal", "tidwall/wal", "tidwall/wal, `Write`: one append at a time"},
		{"fdatasync", "write and fdatasync", "the limit of one writer: write and fdatasync of a record that was encoded beforehand"},
	},
	series: "writers", pinned: map[string]string{"event": headlineEvent},
	aims: []aim{{
		text: "The log with Fsync has at least 0.8 of the rate of the spool, at 64 writers", unit: "ns/op", of: ours, by: "ours-log-fsync",
		bound: 0.8, atLeast: true, in: settings("writers", "64"),
	}},
}

var growthEvents = question{
	id: "growth-events", dir: "growth", title: "Growth with the number of events",
	intro: "Credential events through a log file that rotates at 100 MiB, by one writer, and through a spool that delivers " +
		"at once, by 1,024. Heap is what the sink holds at the end.",
	runs: []run{
		{pattern: "Events/sink=.*", full: 1_000, quick: 1_000, seconds: 1},
		{pattern: "Events/sink=.*", full: 10_000, quick: 10_000, seconds: 1.5},
		{pattern: "Events/sink=.*", full: 100_000, quick: 50_000, seconds: 5},
		{pattern: "Events/sink=log", full: 1_000_000, seconds: 5},
		{pattern: "Events/sink=spool", full: 1_000_000, rounds: 1, seconds: 25},
		{pattern: "Events/sink=log", full: 10_000_000, rounds: 1, seconds: 45},
	},
	series: "sink", table: growthTable, plot: growthPlot,
}

var growthWriters = question{
	id: "growth-writers", dir: "growth", title: "Growth with the number of writers",
	intro: "The same two, from ever more goroutines at once.",
	runs: []run{
		{pattern: "Writers/sink=log/writers=.*", full: 30_000, quick: 10_000, seconds: 2},
		{pattern: "Writers/sink=spool/writers=(1|4|16)$", full: 1_000, quick: 500, seconds: 3},
		{pattern: "Writers/sink=spool/writers=(64|256|1024|4096)$", full: 20_000, quick: 10_000, seconds: 4},
	},
	series: "sink", table: growthTable, plot: growthPlot,
}

var readLog = question{
	id: "reading", apart: true, dir: "reading", title: "Finding events in a log file",
	intro: "Whole processes that read a log of 1,000,000 lines, 660 MB, from the page cache. Under 1% of the lines " +
		"match, and each command has to print exactly those. The query grep is `--grep TEXT`, denied-where `--decision denied --where " +
		"'event.spec.destination.port > 4500'`, and where `--where 'event.spec.destination.port == 22'`, for which every event is parsed. " +
		"CPU is the processor time of the command; on a busy machine it says more than the time does.",
	runs: []run{{pattern: "Reading/query=.*/peer=.*", full: 1_000_000, quick: 50_000, seconds: 60}},
	peers: []peer{
		{ours, "this library", "`auditctl get -o ndjson`: finds out which lines are no events, sorts by time, and prints whole events"},
		{"grep", "grep", "`grep -F` with the same text: lines, whatever they are"},
		{"jq", "jq", "`jq -c 'select(...)'` with the same condition"},
	},
	series: "query",
	aims: []aim{
		{text: "A text takes at most 3 times as long as with grep", unit: unitTime, of: ours, by: "grep", bound: 3, in: []map[string]string{{"query": "grep"}}},
		{
			text: "Denied events with a condition come at least 4 times as fast as from jq", unit: unitTime, of: "jq", by: ours,
			bound: 4, atLeast: true, in: []map[string]string{{"query": "denied-where"}},
		},
		// Other programs of the machine hardly change these.
		{text: "The first by processor time", unit: unitCPU, of: ours, by: "grep", bound: 3, in: []map[string]string{{"query": "grep"}}},
		{text: "The second by processor time", unit: unitCPU, of: "jq", by: ours, bound: 4, atLeast: true, in: []map[string]string{{"query": "denied-where"}}},
	},
	table: readingTable,
}

var linked = question{
	id: "linked", apart: true, dir: "linked", title: "What a program links",
	intro: "Stripped binaries of programs that write one event, and how many modules are in each. A controller has the " +
		"client of the API server anyway, and many programs have zap: the programs kube-client and zap have those and no trail.",
	runs:  []run{{pattern: "Linked/program=.*", full: 1, rounds: 1, seconds: 90}},
	table: linkedTable, plot: linkedPlot,
}
