package phases

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

// Record is what a reset remembers until it is done: what says so otherwise is among the first things to go.
type Record struct {
	Node      string `json:"node"`
	CRISocket string `json:"criSocket"`
	EtcdData  string `json:"etcdData"`
	PKI       string `json:"pki"`
	// Member is the etcd member that was here and is none any more, as far as it is known.
	Member Membership `json:"member,omitzero"`
}

func recordPath(c config.Config) string { return filepath.Join(c.Paths.State, "reset.json") }

// readRecord is the zero Record if there is none.
func readRecord(h *host.Host, c config.Config) (Record, error) {
	path := recordPath(c)
	f, exists, err := h.Read(path)
	if err != nil || !exists {
		return Record{}, err
	}
	var r Record
	if err := json.Unmarshal(f.Data, &r); err != nil {
		return r, fmt.Errorf("read %s: %w\nhint: an earlier reset has left it; remove it", path, err)
	}
	return r, nil
}

// record wants what is known of this machine to be remembered, before that which says so goes.
func (m Master) record() ([]Change, error) {
	r := Record{Node: m.Node.Registration.Name, CRISocket: m.Node.Registration.CRISocket, EtcdData: m.Paths.EtcdData, PKI: m.Paths.PKI, Member: m.Membership}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	changes := write(m, host.File{Path: recordPath(m.Config), Mode: 0o600, Data: append(data, '\n')})
	for i := range changes {
		changes[i] = changes[i].ifRoom()
	}
	return changes, nil
}

// ifRoom is the change of files that a full disk does not stop: a reset is how room is made.
func (c Change) ifRoom() Change {
	files := c
	c.do = func(ctx context.Context, s Site) error {
		err := files.make(ctx, s)
		if host.DiskFull(err) {
			s.tell(fmt.Sprintf("the disk is full: %s is left out, so a reset that is killed now may leave something", c.What))
			return nil
		}
		return err
	}
	return c
}

// KubeletSocket is the container runtime's socket that the kubelet here was told, or that an earlier reset has found; ""
// if there is no trace of it.
func KubeletSocket(h *host.Host, c config.Config) (string, error) {
	for _, source := range []struct {
		path    string
		pattern *regexp.Regexp
	}{
		{filepath.Join(c.Paths.Kubelet, "instance-config.yaml"), regexp.MustCompile(`(?m)^containerRuntimeEndpoint: *"?([^"\s]+)`)},
		{filepath.Join(c.Paths.Kubelet, "config.yaml"), regexp.MustCompile(`(?m)^containerRuntimeEndpoint: *"?([^"\s]+)`)},
		{filepath.Join(c.Paths.Kubelet, "kubeadm-flags.env"), regexp.MustCompile(`--container-runtime-endpoint=([^"\s]+)`)},
		{recordPath(c), regexp.MustCompile(`"criSocket": *"([^"]+)"`)},
	} {
		f, _, err := h.Read(source.path)
		if err != nil {
			return "", err
		}
		if found := source.pattern.FindSubmatch(f.Data); found != nil {
			return "unix://" + strings.TrimPrefix(string(found[1]), "unix://"), nil
		}
	}
	return "", nil
}
