package testenv

import (
	"maps"
	"path/filepath"
	"strconv"
)

type object = map[string]any

// permissiveLimits let through whatever a test writes, of any age and at any speed.
var permissiveLimits = object{
	"ingestion_rate_mb":           1024,
	"ingestion_burst_size_mb":     1024,
	"per_stream_rate_limit":       "1GB",
	"per_stream_rate_limit_burst": "1GB",
	"reject_old_samples":          false,
	"creation_grace_period":       "876000h",
	"unordered_writes":            true,
	"max_line_size":               0,
	"max_streams_per_user":        0,
	"max_global_streams_per_user": 0,
	"max_query_length":            "0s",
}

// config is a single-binary Loki that keeps everything in the group's folder.
func (l *Loki) config() object {
	// The window for entries behind their stream's newest is half of this age. 2h is Loki's default.
	maxChunkAge := "2h"
	limits := object{"split_queries_by_interval": "24h"} // a query of days is not cut into hundreds
	if !l.Options.ProductionLimits {
		maps.Copy(limits, permissiveLimits)
		maxChunkAge = "876000h"
	}
	maps.Copy(limits, l.Options.Limits)
	httpHost, httpPort := splitAddress(l.http)
	grpcHost, grpcPort := splitAddress(l.grpc)
	return object{
		"auth_enabled": l.Options.Tenants,
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
			"max_chunk_age": maxChunkAge,
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
