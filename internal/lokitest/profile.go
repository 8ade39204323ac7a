package lokitest

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"
)

// Profile is a named configuration of Loki that tests need. A Loki that serves all profiles has one tenant for each,
// with the name of the profile.
type Profile struct {
	Name string

	// Tenants makes every request name its tenant (auth_enabled).
	Tenants bool

	// ProductionLimits keeps the limits that Loki has when its operator sets none.
	ProductionLimits bool

	// Limits are further keys of limits_config.
	Limits map[string]any
}

// never is a time that no test reaches.
const never = "2100-01-01T00:00:00Z"

// unsharded keeps Loki from splitting a stream into shards. A shard is a stream of its own, and Loki does not recognise
// a repeat in another shard.
var unsharded = map[string]any{"enabled": false}

// The profiles.
var (
	// ProfilePermissive accepts all that a test writes, of any age and at any rate.
	ProfilePermissive = Profile{Name: "permissive"}
	// ProfileProduction has Loki's default limits.
	ProfileProduction = Profile{Name: "production", ProductionLimits: true}
	// ProfileTenants is permissive and has tenants.
	ProfileTenants = Profile{Name: "tenants", Tenants: true}
	// ProfileBlocked stores nothing and answers 260.
	ProfileBlocked = Profile{Name: "blocked", ProductionLimits: true, Limits: map[string]any{
		"block_ingestion_until": never, "block_ingestion_status_code": 260,
	}}
	// ProfileBlockedUnseen stores nothing and answers 204.
	ProfileBlockedUnseen = Profile{Name: "blocked-unseen", ProductionLimits: true, Limits: map[string]any{
		"block_ingestion_until": never, "block_ingestion_status_code": 200,
	}}
	// ProfileBlockedPermissive is permissive, stores nothing and answers 260.
	ProfileBlockedPermissive = Profile{Name: "blocked-permissive", Limits: map[string]any{"block_ingestion_until": never}}
	// ProfileSmall refuses lines over 8 KiB and more than 400 KiB/s of a stream, 100 KiB at once.
	ProfileSmall = Profile{Name: "small", ProductionLimits: true, Limits: map[string]any{
		"max_line_size":               "8KB",
		"per_stream_rate_limit":       "400KB",
		"per_stream_rate_limit_burst": "100KB",
		"shard_streams":               unsharded,
	}}
	// ProfileStreamRate has the default rate of a stream (3 MB/s, 15 MB at once), and a rate of the tenant that is too
	// high to be reached first.
	ProfileStreamRate = Profile{Name: "stream-rate", ProductionLimits: true, Limits: map[string]any{
		"ingestion_rate_mb": 1024, "ingestion_burst_size_mb": 1024,
		"shard_streams": unsharded,
	}}
	// ProfileCutLines cuts lines over 8 KiB, and answers 204 to them.
	ProfileCutLines = Profile{Name: "cut-lines", ProductionLimits: true, Limits: map[string]any{
		"max_line_size": "8KB", "max_line_size_truncate": true,
	}}
)

// Profiles returns all of them.
func Profiles() []Profile {
	return []Profile{
		ProfilePermissive, ProfileProduction, ProfileTenants, ProfileBlocked, ProfileBlockedUnseen, ProfileBlockedPermissive,
		ProfileSmall, ProfileStreamRate, ProfileCutLines,
	}
}

// ProfileOf returns the profile with this configuration.
func ProfileOf(tenants, productionLimits bool, limits map[string]any) (Profile, error) {
	var names []string
	for _, p := range Profiles() {
		names = append(names, p.Name)
		if p.Tenants == tenants && p.ProductionLimits == productionLimits && len(p.Limits) == len(limits) &&
			(len(limits) == 0 || reflect.DeepEqual(p.Limits, limits)) {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("lokitest: no profile has tenants %v, production limits %v and %v: the profiles are %s",
		tenants, productionLimits, limits, strings.Join(names, ", "))
}

// permissiveLimits accept all that a test writes, of any age and at any rate.
var permissiveLimits = map[string]any{
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

// LimitsConfig returns the profile's limits_config. A real Loki takes it as well.
func (p Profile) LimitsConfig() map[string]any {
	config := map[string]any{}
	if !p.ProductionLimits {
		maps.Copy(config, permissiveLimits)
	}
	maps.Copy(config, p.Limits)
	return config
}

// The values of ingester.max_chunk_age, which holds for all tenants of a Loki. An entry may be behind its stream's newest
// by half of it.
const (
	defaultChunkAge    = 2 * time.Hour // Loki's default
	permissiveChunkAge = 876_000 * time.Hour
)

// MaxChunkAge returns the profile's ingester.max_chunk_age.
func (p Profile) MaxChunkAge() time.Duration {
	if p.ProductionLimits {
		return defaultChunkAge
	}
	return permissiveChunkAge
}

// Config returns the configuration of a stand-in that has this profile alone.
func (p Profile) Config() Config {
	return Config{AuthEnabled: p.Tenants, MaxChunkAge: p.MaxChunkAge().String(), Limits: p.LimitsConfig()}
}

// AllProfiles returns the configuration of a stand-in that has each profile as a tenant. All other tenants have the
// limits of production. So several tests at once can have these limits, each with a tenant of its own.
func AllProfiles() Config {
	return Config{AuthEnabled: true, MaxChunkAge: defaultChunkAge.String(), Overrides: Overrides()}
}

// Overrides returns the limits of the profiles' tenants in the form of Loki's runtime configuration.
func Overrides() map[string]map[string]any {
	all := map[string]map[string]any{}
	for _, p := range Profiles() {
		if config := p.LimitsConfig(); len(config) > 0 && !p.Tenants {
			all[p.Name] = config
		}
	}
	return all
}
