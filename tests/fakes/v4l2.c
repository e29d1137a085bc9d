/* A USB camera for programs that are started with LD_PRELOAD: the file FAKE_V4L2 is a V4L2 device, as uvcvideo makes one.

   FAKE_V4L2_DIR holds what it gives and what it does:
     formats      one a line: a fourcc, the width and the height that it has
     FOURCC-N     the frames of a format, N from 0, over and over
     control      "run", "stall" (it gives nothing), or "unplug" (the device is gone)
   A frame comes every 33 ms. Reading is blocking or not, as the file was opened. A buffer that is given back to a device
   that was closed ends the process: by what FFmpeg does then, it might end, too, on some other day. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <linux/videodev2.h>

#define BUFFERS 32
#define FORMATS 8
#define SIZE (1280 * 1024 * 2)

struct format { char code[5]; unsigned width, height; };

static struct {
	int fd, flags, streaming, formats, chosen, queued[BUFFERS], count, head;
	struct format format[FORMATS];
	void *memory;
	unsigned number;
	double due;
} device = {.fd = -1};

static double now(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static FILE *file(const char *name) {
	char path[512];
	snprintf(path, sizeof path, "%s/%s", getenv("FAKE_V4L2_DIR"), name);
	return fopen(path, "re");
}

static int does(const char *what) {
	char word[32] = "run";
	FILE *control = file("control");
	if (control) {
		if (fscanf(control, "%31s", word) != 1) strcpy(word, "run");
		fclose(control);
	}
	return strcmp(word, what) == 0;
}

static int fails(int error) { errno = error; return -1; }

static int is_ours(const char *path) {
	const char *name = getenv("FAKE_V4L2");
	return name && strcmp(path, name) == 0;
}

static int open_device(int flags) {
	if (does("unplug")) return fails(ENOENT);
	int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
	int fd = real("/dev/null", O_RDWR | O_CLOEXEC);
	FILE *list = file("formats");
	device.formats = 0;
	while (list && device.formats < FORMATS) {
		struct format *one = &device.format[device.formats];
		if (fscanf(list, "%4s %u %u", one->code, &one->width, &one->height) != 3) break;
		device.formats++;
	}
	if (list) fclose(list);
	if (!device.memory)
		device.memory = mmap(NULL, (size_t)BUFFERS * SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	device.fd = fd, device.flags = flags, device.chosen = device.count = device.head = device.streaming = 0;
	return fd;
}

int open(const char *path, int flags, ...) {
	va_list more;
	va_start(more, flags);
	mode_t mode = va_arg(more, mode_t);
	va_end(more);
	if (is_ours(path)) return open_device(flags);
	int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
	return real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
	va_list more;
	va_start(more, flags);
	mode_t mode = va_arg(more, mode_t);
	va_end(more);
	if (is_ours(path)) return open_device(flags);
	int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
	return real(path, flags, mode);
}

int close(int fd) {
	int (*real)(int) = dlsym(RTLD_NEXT, "close");
	if (fd == device.fd) device.fd = -1;
	return real(fd);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
	void *(*real)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap");
	if (fd >= 0 && fd == device.fd) return (char *)device.memory + offset;
	return real(at, length, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
	return mmap(at, length, protection, flags, fd, offset);
}

int munmap(void *at, size_t length) {
	int (*real)(void *, size_t) = dlsym(RTLD_NEXT, "munmap");
	uintptr_t begin = (uintptr_t)device.memory, here = (uintptr_t)at;
	if (device.memory && here >= begin && here < begin + (size_t)BUFFERS * SIZE) return 0;
	return real(at, length);
}

static uint32_t fourcc(const char *code) { return v4l2_fourcc(code[0], code[1], code[2], code[3]); }

static void describe(struct v4l2_format *answer) {
	struct format *format = &device.format[device.chosen];
	struct v4l2_pix_format *pix = &answer->fmt.pix;
	pix->pixelformat = fourcc(format->code);
	pix->width = format->width, pix->height = format->height;
	pix->field = V4L2_FIELD_NONE;
	pix->bytesperline = strcmp(format->code, "YUYV") ? 0 : format->width * 2;
	pix->sizeimage = strcmp(format->code, "YUYV") ? SIZE : format->width * format->height * 2;
}

static int choose(struct v4l2_format *asked) {
	for (int number = 0; number < device.formats; number++)
		if (fourcc(device.format[number].code) == asked->fmt.pix.pixelformat) device.chosen = number;
	describe(asked);
	return 0;
}

static unsigned frame(char *into) {
	char name[32];
	for (int tries = 0; tries < 2; tries++) {
		snprintf(name, sizeof name, "%s-%u", device.format[device.chosen].code, device.number);
		FILE *data = file(name);
		if (data) {
			size_t size = fread(into, 1, SIZE, data);
			fclose(data);
			device.number++;
			return size;
		}
		device.number = 0;
	}
	return 0;
}

static int dequeue(struct v4l2_buffer *buffer) {
	for (;;) {
		if (does("unplug")) return fails(ENODEV);
		if (now() >= device.due && device.count && !does("stall")) break;
		if (device.flags & O_NONBLOCK) return fails(EAGAIN);
		usleep(1000);
	}
	device.due = (device.due < now() - 0.1 ? now() : device.due) + 0.033;
	buffer->index = device.queued[device.head];
	device.head = (device.head + 1) % BUFFERS, device.count--;
	buffer->bytesused = frame((char *)device.memory + (size_t)buffer->index * SIZE);
	buffer->flags = 0;
	buffer->timestamp.tv_sec = (long)now(), buffer->timestamp.tv_usec = (long)(now() * 1e6) % 1000000;
	return 0;
}

int ioctl(int fd, unsigned long request, ...) {
	va_list more;
	va_start(more, request);
	void *data = va_arg(more, void *);
	va_end(more);
	if ((uint32_t)request == VIDIOC_QBUF && fd != device.fd) {
		fprintf(stderr, "a buffer was given back to a camera that is closed\n");
		abort();
	}
	if (fd < 0 || fd != device.fd) {
		int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
		return real(fd, request, data);
	}
	if (does("unplug")) return fails(ENODEV);
	switch ((uint32_t)request) {
	case VIDIOC_QUERYCAP: {
		struct v4l2_capability *answer = data;
		memset(answer, 0, sizeof *answer);
		strcpy((char *)answer->driver, "uvcvideo");
		strcpy((char *)answer->card, "Fake Webcam");
		answer->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
		answer->capabilities = answer->device_caps | V4L2_CAP_DEVICE_CAPS;
		return 0;
	}
	case VIDIOC_G_INPUT: *(int *)data = 0; return 0;
	case VIDIOC_ENUMINPUT: {
		struct v4l2_input *answer = data;
		if (answer->index) return fails(EINVAL);
		memset(answer, 0, sizeof *answer);
		answer->type = V4L2_INPUT_TYPE_CAMERA;
		return 0;
	}
	case VIDIOC_ENUM_FMT: {
		struct v4l2_fmtdesc *answer = data;
		if ((int)answer->index >= device.formats) return fails(EINVAL);
		answer->pixelformat = fourcc(device.format[answer->index].code);
		return 0;
	}
	case VIDIOC_G_FMT: describe(data); return 0;
	case VIDIOC_S_FMT: return device.streaming ? fails(EBUSY) : choose(data);
	case VIDIOC_G_PARM:
	case VIDIOC_S_PARM: {
		struct v4l2_streamparm *answer = data;
		answer->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
		answer->parm.capture.timeperframe = (struct v4l2_fract){1, 30};
		return 0;
	}
	case VIDIOC_REQBUFS: {
		struct v4l2_requestbuffers *answer = data;
		if (answer->count > BUFFERS) answer->count = BUFFERS;
		device.count = device.head = 0;
		return 0;
	}
	case VIDIOC_QUERYBUF: {
		struct v4l2_buffer *answer = data;
		answer->length = SIZE;
		answer->m.offset = answer->index * SIZE;
		return 0;
	}
	case VIDIOC_QBUF:
		device.queued[(device.head + device.count++) % BUFFERS] = ((struct v4l2_buffer *)data)->index;
		return 0;
	case VIDIOC_DQBUF: return dequeue(data);
	case VIDIOC_STREAMON: device.streaming = 1, device.due = now(), device.number = 0; return 0;
	case VIDIOC_STREAMOFF: device.streaming = 0; return 0;
	default: return fails(ENOTTY);
	}
}
