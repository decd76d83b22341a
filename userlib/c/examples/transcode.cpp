// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Makes an H.265 stream of an H.264 stream on the first card; the pictures do not leave it.
//
//     transcode IN.h264 OUT.h265
//
//     c++ -std=c++17 transcode.cpp $(pkg-config --cflags --libs libax650) -o transcode
#include <libax650.h>

#include <fstream>
#include <future>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <vector>

static ax650_result check(ax650_result result)
{
	return result < 0 ? throw std::runtime_error(ax650_last_error()) : result;
}

// Objects that are ended by themselves.
template <typename T, void (*end)(T *)> struct End { void operator()(T *object) const { end(object); } };
template <typename T, void (*end)(T *)> using Object = std::unique_ptr<T, End<T, end>>;
template <typename O, typename F, typename... A> static O make(F function, A... arguments)
{
	typename O::pointer object = nullptr;
	check(function(arguments..., &object));
	return O(object);
}
using Card = Object<ax650_card, ax650_card_close>;
using Session = Object<ax650_session, ax650_session_free>;
using Splitter = Object<ax650_splitter, ax650_splitter_free>;
using Decoder = Object<ax650_decoder, ax650_decoder_free>;
using Encoder = Object<ax650_encoder, ax650_encoder_free>;
using Packet = Object<ax650_packet, ax650_packet_free>;

static size_t transcode(const std::vector<char> &in, std::ostream &out)
{
	const uint8_t *data;
	size_t size, count = 0, room;
	ax650_encoder_config config{};
	config.struct_size = sizeof config;
	config.codec = AX650_H265;

	auto splitter = make<Splitter>(ax650_splitter_new, AX650_H264);
	check(ax650_splitter_push(splitter.get(), reinterpret_cast<const uint8_t *>(in.data()), in.size()));
	check(ax650_splitter_push(splitter.get(), nullptr, 0));
	auto next = check(ax650_splitter_next(splitter.get(), &data, &size));
	if (check(ax650_splitter_picture_size(splitter.get(), &config.width, &config.height)) != AX650_OK)
		throw std::runtime_error("no H.264 parameter set");
	auto card = make<Card>(ax650_card_open, nullptr);
	auto session = make<Session>(ax650_session_open, card.get());
	auto decoder = make<Decoder>(ax650_decoder_new, session.get(), AX650_H264, config.width, config.height);
	auto encoder = make<Encoder>(ax650_encoder_new, session.get(), &config);
	room = ax650_encoder_room(encoder.get());
	// A decoder has room for a few pictures only: one thread sends while another receives.
	auto sender = std::async(std::launch::async, [&] {
		for (uint64_t pts = 0; next == AX650_OK; pts++) {
			check(ax650_decoder_send(decoder.get(), data, size, pts));
			next = check(ax650_splitter_next(splitter.get(), &data, &size));
		}
		check(ax650_decoder_finish(decoder.get()));
	});
	for (auto state = AX650_OK; state != AX650_END || ax650_encoder_room(encoder.get()) < room;) {
		ax650_frame *frame = nullptr;
		if (state != AX650_END && ax650_encoder_room(encoder.get()) > 0) {
			state = check(ax650_decoder_receive(decoder.get(), 20000, &frame));
			if (state == AX650_OK)
				check(ax650_encoder_send_frame(encoder.get(), frame));
			else if (state == AX650_NOTHING)
				throw std::runtime_error("no picture for 20 s");
			continue;
		}
		const uint8_t *made;
		auto packet = make<Packet>(ax650_encoder_receive, encoder.get(), 20000);
		check(ax650_packet_get(packet.get(), &made, &size, nullptr, nullptr));
		out.write(reinterpret_cast<const char *>(made), size), count++;
	}
	sender.get();
	return count;
}

int main(int argc, char **argv)
try {
	if (argc != 3)
		return std::cerr << "usage: transcode IN OUT\n", 2;
	std::ifstream in(argv[1], std::ios::binary);
	std::ofstream out(argv[2], std::ios::binary);
	std::cerr << transcode({std::istreambuf_iterator<char>(in), {}}, out) << " pictures\n";
	return out.flush() ? 0 : 1;
} catch (const std::exception &error) {
	return std::cerr << error.what() << "\n", 1;
}
