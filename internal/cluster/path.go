package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// pathLimit is more than /version and the health checks ever say.
const pathLimit = 1 << 20

// Path reads what is no object, such as /version or /readyz. An answer other than 200 is an apierrors error.
func (c *Client) Path(ctx context.Context, path string) ([]byte, error) {
	server := c.server
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(server, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, pathLimit))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, apierrors.NewGenericServerResponse(response.StatusCode, http.MethodGet, schema.GroupResource{}, path, string(body), 0, true)
	}
	return body, nil
}
