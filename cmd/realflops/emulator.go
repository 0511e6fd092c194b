package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"github.com/realflops/realflops/kernels/cuda/emulator"
)

// emulatorCommand is the process behind `run --emulate`: hidden, because nobody runs it by hand.
func (a *app) emulatorCommand() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:    "emulator NODE",
		Short:  "Emulate the GPUs of a node for workers (started by run --emulate)",
		Hidden: true,
		Args:   exactArgs(1, "one node, such as a100x2:healthy"),
		RunE:   func(cmd *cobra.Command, args []string) error { return a.emulate(cmd.Context(), args[0], socket) },
	}
	cmd.Flags().StringVar(&socket, "socket", "", "path of the Unix socket to listen on")
	return cmd
}

// emulate serves until its standard input ends: it does not outlive whoever started it.
func (a *app) emulate(ctx context.Context, name, socket string) error {
	node, err := emulator.ParseNode(name)
	if err != nil {
		return err
	}
	node.Log = func(sentence string) { fmt.Fprintln(a.stderr, sentence) }
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return usage("--socket: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, a.stdin)
		cancel()
	}()
	fmt.Fprintln(a.stdout, "listening")
	if err := emulator.Serve(ctx, listener, node); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}
