package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/phases"
)

// confirm shows what will be done, asks the question, and is an error unless the answer is yes. Where standard output is
// for a machine, people are asked on standard error.
func confirm(cmd *cobra.Command, show showPlan, steps []phases.Step, question, flag string) error {
	if show.output == "json" {
		show.to = show.notes
	}
	for _, step := range steps {
		show.step(step)
	}
	fmt.Fprintf(show.to, "\n%s [y/N] ", question)
	answer, err := answered(cmd.Context(), cmd.InOrStdin())
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return &inputError{errors.New("not confirmed: nothing was changed\nhint: answer y, or give " + flag)}
	}
	return nil
}

// answered is a line of what is typed, or less where there is no more.
func answered(ctx context.Context, from io.Reader) (string, error) {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(from).ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		return text, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
