package agent

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// relistEvery is the kubelet's default of fileCheckFrequency.
const relistEvery = 20 * time.Second

// Run is the agent: it runs the pods of a manifest directory until the context ends or its socket is told to shut
// down. Processes of an earlier agent of the same directory are taken over. Only one agent at a
// time can have a manifest directory, or a state directory.
func Run(ctx context.Context, o Options) error {
	o, err := o.resolved()
	if err != nil {
		return err
	}
	unlock, err := lockAll(o.Manifests, o.State)
	if err != nil {
		return err
	}
	defer unlock()
	listener, err := listen(o.Socket)
	if err != nil {
		return err
	}
	defer listener.Close()
	return newAgent(o).run(ctx, listener)
}

// agent decides which lives there are; all but the channels belongs to the goroutine of run.
type agent struct {
	options Options
	source  source
	board   *board
	log     *slog.Logger
	lives   map[string]*life // by pod; the newest of each
	files   []FileState      // of the last listing
	running sync.WaitGroup   // lives

	nudges   chan chan struct{} // list now, and close the answer
	quit     chan struct{}      // end all pods, then the agent
	stopping chan struct{}      // closed when nudges are not taken any more
}

func newAgent(o Options) *agent {
	r := reader{manifests: o.Manifests, binDir: o.BinDir, self: identity{os.Getuid(), os.Getgid()}}
	return &agent{
		options: o, log: o.Log,
		source:   source{dir: o.Manifests, read: r.read},
		board:    newBoard(State{PID: os.Getpid(), StartedAt: time.Now(), Manifests: o.Manifests, BinDir: o.BinDir, Dir: o.State}),
		lives:    map[string]*life{},
		nudges:   make(chan chan struct{}),
		quit:     make(chan struct{}, 1),
		stopping: make(chan struct{}),
	}
}

func (a *agent) run(ctx context.Context, listener net.Listener) error {
	lives, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer a.running.Wait()
	defer leave()
	a.log.Info("agent runs", "pid", os.Getpid(), "manifests", a.options.Manifests, "binDir", a.options.BinDir)
	if err := a.takeOver(lives); err != nil {
		return err
	}
	defer a.serve(listener)()
	end := a.follow(ctx, lives)
	close(a.stopping)
	if end {
		a.endAll()
	}
	a.log.Info("agent ends", "podsEnded", end)
	return nil
}

// follow follows the manifest directory; it returns whether the pods shall end with the agent.
func (a *agent) follow(ctx, lives context.Context) bool {
	changed := watch(lives, a.options.Manifests, a.log)
	relist := time.NewTicker(relistEvery)
	defer relist.Stop()
	for {
		select {
		case <-ctx.Done():
			return a.options.StopPodsOnExit
		case <-a.quit:
			return true
		case <-changed:
			a.list(lives, false)
		case <-relist.C:
			a.list(lives, true)
		case answer := <-a.nudges:
			a.list(lives, false)
			close(answer)
		}
	}
}

// list brings the lives in line with the directory.
func (a *agent) list(ctx context.Context, relist bool) {
	l, err := a.source.list(relist)
	if err != nil {
		a.log.Error("manifests can not be listed, pods go on", "err", err)
		a.board.problem(err.Error())
		return
	}
	a.board.want(l)
	a.tell(l.files)
	for key, p := range l.pods {
		a.want(ctx, key, p)
	}
	for key := range a.lives {
		if _, wanted := l.pods[key]; !wanted {
			a.unwant(key)
		}
	}
}

// tell logs what is new about the files.
func (a *agent) tell(files []FileState) {
	for _, file := range files {
		known := slices.ContainsFunc(a.files, func(f FileState) bool {
			return f.File == file.File && f.Shadowed == file.Shadowed && slices.Equal(f.Problems, file.Problems)
		})
		if !known && (len(file.Problems) > 0 || file.Shadowed != "") {
			a.log.Warn("manifest is not run", "file", file.File, "problems", file.Problems, "shadowedBy", file.Shadowed)
		}
	}
	a.files = files
}

// want makes p the life under its name, after the end of another one.
func (a *agent) want(ctx context.Context, key string, p pod) {
	old := a.lives[key]
	if old != nil && old.pod.Hash == p.Hash && !closed(old.stop) {
		return
	}
	var before <-chan struct{}
	if old != nil {
		old.endSoon()
		before = old.done
	}
	a.begin(ctx, newLife(a.settings(), p, before))
}

// unwant ends the life of a pod and forgets it when it is over.
func (a *agent) unwant(key string) {
	l := a.lives[key]
	l.endSoon()
	if closed(l.done) {
		delete(a.lives, key)
	}
}

func (a *agent) begin(ctx context.Context, l *life) {
	a.lives[l.pod.key()] = l
	a.running.Go(func() { l.run(ctx) })
}

func (a *agent) settings() settings {
	return settings{manifests: a.options.Manifests, state: a.options.State, board: a.board, log: a.log, launch: launch}
}

// takeOver adopts the processes that an earlier agent has left: those that are still wanted live on, the others
// begin a life that ends at once.
func (a *agent) takeOver(ctx context.Context) error {
	found, err := scan(a.options.Manifests)
	if err != nil {
		return err
	}
	l, err := a.source.list(true)
	if err != nil {
		return err
	}
	for key, m := range containers(found) {
		p, wanted := l.pods[key]
		wanted = wanted && p.Hash == m.Hash
		if !wanted {
			p = stranger(m)
		}
		again := newLife(a.settings(), p, nil)
		again.found = adopt(m)
		if !wanted {
			again.endSoon()
		}
		a.begin(ctx, again)
	}
	a.list(ctx, true)
	return nil
}

// endAll ends every pod, in the order of lastFirst.
func (a *agent) endAll() {
	for _, key := range lastFirst(a.lives) {
		a.lives[key].endSoon()
		<-a.lives[key].done
	}
}

// lastFirst is the order in which pods end together: one after the other, by name from the last. So the scheduler and the
// controller-manager end before the apiserver, and that before etcd; an apiserver that has lost its etcd takes all of its grace.
func lastFirst[T any](pods map[string]T) []string {
	return slices.SortedFunc(maps.Keys(pods), func(a, b string) int { return strings.Compare(b, a) })
}

// endSoon lets a life end; it may be said twice.
func (l *life) endSoon() {
	if !closed(l.stop) {
		close(l.stop)
	}
}
