package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"sigs.k8s.io/yaml"
)

// The types below have every field that kind writes, so that a kind which writes another one is noticed. Those of type
// any say nothing that is of use here.

// bootstrap is the file that envoy is started with.
type bootstrap struct {
	Node             any `json:"node"`
	Admin            any `json:"admin"`
	DynamicResources struct {
		Clusters  source `json:"cds_config"`
		Listeners source `json:"lds_config"`
	} `json:"dynamic_resources"`
}

type source struct {
	Version          any `json:"resource_api_version"`
	PathConfigSource struct {
		Path string `json:"path"`
	} `json:"path_config_source"`
}

// listener is where clients come to.
type listener struct {
	Type         any     `json:"@type"`
	Name         any     `json:"name"`
	Address      address `json:"address"`
	FilterChains []struct {
		Filters []struct {
			Name   string `json:"name"`
			Config any    `json:"typed_config"`
		} `json:"filters"`
	} `json:"filter_chains"`
}

// cluster is the backends and how they are looked at.
type cluster struct {
	Type             any           `json:"@type"`
	Name             any           `json:"name"`
	ConnectTimeout   duration      `json:"connect_timeout"`
	Discovery        string        `json:"type"`
	Policy           string        `json:"lb_policy"`
	DNSFamily        string        `json:"dns_lookup_family"`
	HealthChecks     []healthCheck `json:"health_checks"`
	TransportSockets any           `json:"transport_socket_matches"` // TLS that trusts any certificate
	Assignment       struct {
		Name      any `json:"cluster_name"`
		Endpoints []struct {
			Endpoints []struct {
				Endpoint struct {
					Address address `json:"address"`
				} `json:"endpoint"`
			} `json:"lb_endpoints"`
		} `json:"endpoints"`
	} `json:"load_assignment"`
}

// healthCheck is by HTTPS: kind has no other one.
type healthCheck struct {
	Timeout            duration `json:"timeout"`
	Interval           duration `json:"interval"`
	NoTrafficInterval  duration `json:"no_traffic_interval"` // while nobody has come yet
	UnhealthyThreshold int      `json:"unhealthy_threshold"`
	HealthyThreshold   int      `json:"healthy_threshold"`
	Jitter             any      `json:"initial_jitter"`
	LogFailures        any      `json:"always_log_health_check_failures"`
	LogSuccess         any      `json:"always_log_health_check_success"`
	LogPath            any      `json:"event_log_path"`
	HTTP               struct {
		Path string `json:"path"`
	} `json:"http_health_check"`
	TransportSocket any `json:"transport_socket_match_criteria"`
}

type address struct {
	Socket struct {
		Address string `json:"address"`
		Port    int    `json:"port_value"`
	} `json:"socket_address"`
}

func (a address) String() string {
	return net.JoinHostPort(a.Socket.Address, strconv.Itoa(a.Socket.Port))
}

// duration is written in seconds: "0.25s".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// paths are the files that the bootstrap configuration names.
type paths struct{ clusters, listeners string }

func readBootstrap(file string) (paths, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return paths{}, err
	}
	var b bootstrap
	if err := yaml.UnmarshalStrict(data, &b); err != nil {
		return paths{}, fmt.Errorf("%s: %w", file, err)
	}
	dynamic := b.DynamicResources
	return paths{clusters: dynamic.Clusters.PathConfigSource.Path, listeners: dynamic.Listeners.PathConfigSource.Path}, nil
}

// parse returns the one resource of a file, or nil if it has none.
func parse[T any](data []byte) (*T, error) {
	var file struct {
		Resources []T `json:"resources"`
	}
	if err := yaml.UnmarshalStrict(data, &file); err != nil {
		return nil, err
	}
	switch len(file.Resources) {
	case 0:
		return nil, nil
	case 1:
		return &file.Resources[0], nil
	}
	return nil, fmt.Errorf("%d resources: this program follows one", len(file.Resources))
}

// followable is nil if the listener passes TCP on as it is.
func (l listener) followable() error {
	if len(l.FilterChains) != 1 || len(l.FilterChains[0].Filters) != 1 || l.FilterChains[0].Filters[0].Name != "envoy.filters.network.tcp_proxy" {
		return errors.New("this program follows a listener with one filter, envoy.filters.network.tcp_proxy")
	}
	return nil
}

// followable is nil if the cluster is of the kind that is balanced here.
func (c cluster) followable() error {
	if c.Discovery != "STRICT_DNS" || c.Policy != "ROUND_ROBIN" {
		return errors.New("this program follows a cluster of type STRICT_DNS and policy ROUND_ROBIN")
	}
	if len(c.HealthChecks) != 1 || c.HealthChecks[0].HTTP.Path == "" || c.HealthChecks[0].HealthyThreshold > 1 {
		return errors.New("this program follows one HTTP health check, of which one success is enough")
	}
	return nil
}

// addresses are those of the backends, by name or number.
func (c cluster) addresses() []string {
	var all []string
	for _, group := range c.Assignment.Endpoints {
		for _, e := range group.Endpoints {
			all = append(all, e.Endpoint.Address.String())
		}
	}
	return all
}
