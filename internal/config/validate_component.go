package config

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

func (c ControlPlaneComponent) validate(field string) []Complaint {
	return slices.Concat(
		checkArgs(field+".extraArgs", c.ExtraArgs),
		checkEnvs(field+".extraEnvs", c.ExtraEnvs),
		checkVolumes(field+".extraVolumes", c.ExtraVolumes),
	)
}

// checkArgs checks names only: which flags a component knows is for its manifest to say. A value may be empty.
func checkArgs(field string, args []Arg) []Complaint {
	var complaints []Complaint
	for i, arg := range args {
		name := at(field, i) + ".name"
		switch {
		case arg.Name == "":
			complaints = append(complaints, wrong(name, "must not be empty"))
		case strings.HasPrefix(arg.Name, "-"):
			complaints = append(complaints, wrong(name, "%q begins with a dash", arg.Name).
				hint("write the name without dashes: %s", strings.SplitN(strings.TrimLeft(arg.Name, "-"), "=", 2)[0]))
		case strings.ContainsAny(arg.Name, "= \t\r\n"):
			complaints = append(complaints, wrong(name, "%q is more than a name", arg.Name).hint("what follows the name belongs into value"))
		}
	}
	return complaints
}

// checkEnvs takes literal values only: a static pod can refer to nothing else.
func checkEnvs(field string, envs []EnvVar) []Complaint {
	var complaints []Complaint
	for i, env := range envs {
		if len(validation.IsRelaxedEnvVarName(env.Name)) > 0 {
			complaints = append(complaints, wrong(at(field, i)+".name", "%q is not the name of an environment variable", env.Name))
		}
		if env.ValueFrom != nil {
			complaints = append(complaints, wrong(at(field, i)+".valueFrom", "a static pod can not refer to other objects").
				hint("write the value itself into value"))
		}
	}
	return complaints
}

func checkVolumes(field string, volumes []HostPathMount) []Complaint {
	var complaints []Complaint
	first := map[string]int{}
	for i, volume := range volumes {
		path := at(field, i)
		complaints = append(complaints, volume.validate(path)...)
		if j, twice := first[volume.Name]; twice {
			complaints = append(complaints, wrong(path+".name", "%q is the name of %s as well", volume.Name, at(field, j)))
		} else {
			first[volume.Name] = i
		}
	}
	return complaints
}

func (v HostPathMount) validate(field string) []Complaint {
	complaints := slices.Concat(
		absolute(field+".hostPath", v.HostPath),
		absolute(field+".mountPath", v.MountPath),
		v.validateType(field+".pathType"),
	)
	if len(validation.IsDNS1123Label(v.Name)) > 0 {
		complaints = append(complaints, wrong(field+".name", "%q is not a DNS label (a-z, 0-9 and -)", v.Name))
	}
	return complaints
}

// validateType takes the types of a corev1.HostPathVolumeSource; none means that nothing is checked.
func (v HostPathMount) validateType(field string) []Complaint {
	if v.PathType == "" {
		return nil
	}
	return oneOf(field, v.PathType, "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice")
}
