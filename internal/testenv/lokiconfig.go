package testenv

import (
	"maps"
	"path/filepath"
	"strconv"
)

type object = map[string]any

// config returns the configuration of a real Loki with a single binary, which stores everything in the group's folder.
func (l *lokiProcess) config(opts LokiOptions) object {
	limits := object{"split_queries_by_interval": "24h"} // so that Loki does not split a query of several days into hundreds
	maps.Copy(limits, opts.profile().LimitsConfig())
	httpHost, httpPort := splitAddress(l.http)
	grpcHost, grpcPort := splitAddress(l.grpc)
	return object{
		"auth_enabled": opts.Tenants,
		"analytics":    object{"reporting_enabled": false}, // no reports of usage to Grafana
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
			// Entries with old timestamps are visible at once, and not only after the index was shipped.
			"query_store_max_look_back_period": "-1ns",
		},
		"querier":     object{"query_ingesters_within": "0s"}, // an entry of any age may still be in the ingester
		"query_range": object{"max_retries": 1},               // a query that fails here would fail again
		// Without it, the querier looks for its frontend in DNS and in the ring before it is ready.
		"frontend_worker": object{"frontend_address": l.grpc},
	}
}

func number(port string) int {
	n, _ := strconv.Atoi(port)
	return n
}
