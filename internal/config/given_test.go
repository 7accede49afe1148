package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
)

// That the defaults of a machine with IPv6 alone do not go together refuses no verb that needs neither; what is given does.
func TestDefaultsOfAnotherFamily(t *testing.T) {
	t.Parallel()
	m := machine()
	m.DefaultIP = netip.MustParseAddr("fd00::1")
	c, _, err := config.Load(nil, "", config.Overrides{}, m)
	if err != nil || !c.FamiliesDiffer() {
		t.Errorf("with defaults: %v, differ %v", err, c.FamiliesDiffer())
	}
	_, _, err = config.Load(nil, "", config.Overrides{ServiceCIDR: "10.97.0.0/16"}, m)
	if err == nil || !strings.Contains(err.Error(), "not of the IP family") {
		t.Errorf("with a subnet that was given: %v", err)
	}
}
