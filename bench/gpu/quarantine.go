package gpu

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// quarantineFile lies in the state folder.
const quarantineFile = "quarantine.json"

// confined is a device on which a worker could not be ended. It is left alone until the next boot:
// another process would hang in the same driver.
type confined struct {
	Device string    `json:"device"`
	BootID string    `json:"boot_id"`
	Time   time.Time `json:"time"`
	Why    string    `json:"why"`
}

// quarantining keeps the runners of one process from writing at the same time; two
// runs do not measure at once.
var quarantining sync.Mutex

// Quarantined says why nothing is measured on a device until the next boot.
func (c Config) Quarantined(device string) (why string, yes bool) {
	quarantining.Lock()
	defer quarantining.Unlock()
	for _, q := range c.withDefaults().confined() {
		if q.Device == device {
			return fmt.Sprintf("%s (since %s, until the next boot)", q.Why, q.Time.UTC().Format(time.RFC3339)), true
		}
	}
	return "", false
}

// quarantine keeps a device from being measured until the next boot. Entries of other boots
// are dropped. Where the boot is not known, or nothing is kept, it does nothing.
func (c Config) quarantine(device, why string, now time.Time) error {
	quarantining.Lock()
	defer quarantining.Unlock()
	boot := c.bootID()
	if c.StateDir == "" || boot == "" {
		return nil
	}
	all := append(slices.DeleteFunc(c.confined(), func(q confined) bool { return q.Device == device }), confined{device, boot, now.UTC(), why})
	text, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = replace(filepath.Join(c.StateDir, quarantineFile), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("quarantine of %s cannot be kept: %w", device, err)
	}
	return nil
}

// confined lists the entries of this boot. A file that cannot be read holds none.
func (c Config) confined() []confined {
	boot := c.bootID()
	if c.StateDir == "" || boot == "" {
		return nil
	}
	path := filepath.Join(c.StateDir, quarantineFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var all []confined
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		c.Log(fmt.Sprintf("the quarantine in %s cannot be read, and no device is taken to be in it: %v", path, err))
		return nil
	}
	return slices.DeleteFunc(all, func(q confined) bool { return q.BootID != boot })
}

// replace writes a file for its owner alone, whole or not at all.
func replace(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
