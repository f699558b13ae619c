// Reads compose files as Docker Compose does, with compose-go, and prints what it understood of each as one JSON line.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

type answer struct {
	File    string `json:"file"`
	Fault   string `json:"fault,omitempty"`
	Project any    `json:"project,omitempty"`
}

func read(file string) answer {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithOsEnv, cli.WithDefaultProfiles("federated"))
	if err != nil {
		return answer{File: file, Fault: err.Error()}
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return answer{File: file, Fault: err.Error()}
	}
	return answer{File: file, Project: project}
}

func main() {
	for _, file := range os.Args[1:] {
		line, err := json.Marshal(read(file))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(string(line))
	}
}
