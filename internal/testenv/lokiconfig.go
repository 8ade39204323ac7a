package testenv

import (
	"maps"
	"path/filepath"
	"strconv"
)

type object = map[string]any

// config is a real single-binary Loki that keeps everything in the group's folder.
func (l *lokiProcess) config(opts LokiOptions) object {
	limits := object{"split_queries_by_interval": "24h"} // a query of days is not cut into hundreds
	maps.Copy(limits, opts.profile().LimitsConfig())
	httpHost, httpPort := splitAddress(l.http)
	grpcHost, grpcPort := splitAddress(l.grpc)
	return object{
		"auth_enabled": opts.Tenants,
		"analytics":    object{"reporting_enabled": false}, // of usage, to its makers
		"server": object{
			"http_listen_address": httpHost, "http_listen_port": number(httpPort),
			"grpc_listen_address": grpcHost, "grpc_listen_port": number(grpcPort),
			"register_instrumentation": true, "log_level": "info",
		},
		"common": object{
			"path_prefix":        l.group.dir,
			"instance_addr":      loopback,
			"replication_factor": 1,
			"ring":               object{"kvstore": object{"store": "inmemory"}},
			"storage": object{"filesystem": object{
				"chunks_directory": filepath.Join(l.group.dir, "chunks"),
				"rules_directory":  filepath.Join(l.group.dir, "rules"),
			}},
		},
		"schema_config": object{"configs": []object{{
			"from": "2020-01-01", "store": "tsdb", "object_store": "filesystem", "schema": "v13",
			"index": object{"prefix": "index_", "period": "24h"},
		}}},
		"limits_config": limits,
		"ingester": object{
			"lifecycler":    object{"min_ready_duration": "0s"}, // 15s by default, for rings of several members
			"max_chunk_age": opts.profile().MaxChunkAge().String(),
			// Entries with timestamps of long ago are visible at once, not only after the index was shipped.
			"query_store_max_look_back_period": "-1ns",
		},
		"querier":     object{"query_ingesters_within": "0s"}, // whatever age an entry has, it may be in the ingester still
		"query_range": object{"max_retries": 1},               // a query that fails here fails again
		// Without it the querier looks for its frontend in DNS and the ring before it calls itself ready.
		"frontend_worker": object{"frontend_address": l.grpc},
	}
}

func number(port string) int {
	n, _ := strconv.Atoi(port)
	return n
}
