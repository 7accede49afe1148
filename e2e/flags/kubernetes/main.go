//go:build ignore

// Command kubernetes prints the names of all flags that the component which is its argument accepts, hidden and deprecated
// ones included, one a line. It is run by e2e/flags in the module of a Kubernetes version; once per
// component, as they share feature gates that only one of them may define.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	cliflag "k8s.io/component-base/cli/flag"
	_ "k8s.io/component-base/logs/json/register" // the components' mains import it for --log-json-*
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	commands := map[string]func() *cobra.Command{
		"kube-apiserver":          apiserver.NewAPIServerCommand,
		"kube-controller-manager": controllermanager.NewControllerManagerCommand,
		"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	}
	command := commands[os.Args[1]]()
	command.InitDefaultHelpFlag()
	command.SetGlobalNormalizationFunc(cliflag.WordSepNormalizeFunc) // as component-base/cli.Run does
	var names []string
	command.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	slices.Sort(names)
	fmt.Println(strings.Join(names, "\n"))
}
