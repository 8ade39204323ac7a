package lokitest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits are the limits of one tenant, as in Loki's limits_config. Sizes are in bytes.
type Limits struct {
	Rate, Burst             int           // ingestion_rate_mb, ingestion_burst_size_mb: bytes a second, bytes at once
	StreamRate, StreamBurst int           // per_stream_rate_limit, per_stream_rate_limit_burst
	ShardStreams            bool          // shard_streams.enabled: then Loki refuses a whole push over a stream's rate
	MaxAge                  time.Duration // reject_old_samples_max_age; 0 takes entries of any age
	MaxAhead                time.Duration // creation_grace_period
	MaxLine                 int           // max_line_size; 0 is no limit
	CutLines                bool          // max_line_size_truncate: a longer line is cut instead of refused
	MaxEntries              int           // max_entries_limit_per_query
	BlockedUntil            time.Time     // block_ingestion_until
	BlockedStatus           int           // block_ingestion_status_code
}

// Limits that Loki has and that no test changes.
const (
	maxLabels        = 15 // max_label_names_per_series; service_name does not count
	maxLabelName     = 1024
	maxLabelValue    = 2048
	maxMetadataPairs = 128       // max_structured_metadata_entries_count
	maxMetadataSize  = 64 << 10  // max_structured_metadata_size
	maxMessage       = 4 << 20   // between Loki's own parts, by gRPC
	maxReceived      = 100 << 20 // distributor.max_recv_msg_size
)

// DefaultLimits returns the limits of a Loki whose operator sets none.
func DefaultLimits() Limits {
	return Limits{
		Rate: 4 << 20, Burst: 6 << 20,
		StreamRate: 3 << 20, StreamBurst: 15 << 20, ShardStreams: true,
		MaxAge: 7 * 24 * time.Hour, MaxAhead: 10 * time.Minute,
		MaxLine: 256 << 10, MaxEntries: 5000, BlockedStatus: 260,
	}
}

// neutral are keys of limits_config that With accepts and ignores: the stand-in has no such limit, or always does what
// the key asks for.
var neutral = []string{
	"split_queries_by_interval", "max_streams_per_user", "max_global_streams_per_user", "max_query_length", "unordered_writes",
}

// With returns a copy of the limits, changed by keys of limits_config. A key that the stand-in does not know is an error.
func (l Limits) With(config map[string]any) (Limits, error) {
	maxAge := l.MaxAge
	rejectOld := maxAge > 0
	for key, value := range config {
		var err error
		text := fmt.Sprint(value)
		switch key {
		case "ingestion_rate_mb":
			l.Rate, err = megabytes(text)
		case "ingestion_burst_size_mb":
			l.Burst, err = megabytes(text)
		case "per_stream_rate_limit":
			l.StreamRate, err = size(text)
		case "per_stream_rate_limit_burst":
			l.StreamBurst, err = size(text)
		case "shard_streams":
			l.ShardStreams, err = enabled(value)
		case "reject_old_samples":
			rejectOld, err = strconv.ParseBool(text)
		case "reject_old_samples_max_age":
			maxAge, err = time.ParseDuration(text)
		case "creation_grace_period":
			l.MaxAhead, err = time.ParseDuration(text)
		case "max_line_size":
			l.MaxLine, err = size(text)
		case "max_line_size_truncate":
			l.CutLines, err = strconv.ParseBool(text)
		case "max_entries_limit_per_query":
			l.MaxEntries, err = strconv.Atoi(text)
		case "block_ingestion_until":
			l.BlockedUntil, err = time.Parse(time.RFC3339, text)
		case "block_ingestion_status_code":
			l.BlockedStatus, err = strconv.Atoi(text)
		default:
			if !slices.Contains(neutral, key) {
				err = fmt.Errorf("the stand-in does not know this limit: teach it in %s", "internal/lokitest/limits.go")
			}
		}
		if err != nil {
			return l, fmt.Errorf("lokitest: limits_config.%s: %v: %w", key, value, err)
		}
	}
	l.MaxAge = 0
	if rejectOld {
		l.MaxAge = maxAge
	}
	return l, nil
}

func enabled(value any) (bool, error) {
	m, ok := value.(map[string]any)
	if !ok || len(m) != 1 {
		return false, fmt.Errorf("want {enabled: true} or {enabled: false}")
	}
	return strconv.ParseBool(fmt.Sprint(m["enabled"]))
}

func megabytes(text string) (int, error) {
	f, err := strconv.ParseFloat(text, 64)
	return int(f * (1 << 20)), err
}

// size parses a size in Loki's form, in which 8KB are 8192 bytes.
func size(text string) (int, error) {
	for unit, factor := range map[string]int{"GB": 1 << 30, "MB": 1 << 20, "KB": 1 << 10, "B": 1} {
		number, ok := strings.CutSuffix(text, unit)
		if n, err := strconv.Atoi(number); ok && err == nil {
			return n * factor, nil
		}
	}
	n, err := strconv.Atoi(text)
	return n, err
}

// sizeText formats a size as Loki does in its answers.
func sizeText(n int) string {
	switch {
	case n >= 1<<30:
		return strconv.Itoa(n>>30) + "GB"
	case n >= 1<<20:
		return strconv.Itoa(n>>20) + "MB"
	case n >= 1<<10:
		return strconv.Itoa(n>>10) + "KB"
	}
	return strconv.Itoa(n) + "B"
}
